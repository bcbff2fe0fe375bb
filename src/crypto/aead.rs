//! XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM with a 192-bit nonce, long enough to be drawn at random for every
//! message that a key will ever seal.
//!
//! A sealed text is nonce ‖ ciphertext ‖ tag, 40 bytes longer than the plaintext. The associated data say what the
//! text is and whose (purpose, tenant, record, key version): it opens only where it belongs. Called by `keyring`.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

use super::{Key, NotAuthentic, random};

/// How much longer a sealed text is than its plaintext, in bytes.
pub const OVERHEAD: usize = NONCE + TAG;

const NONCE: usize = 24;
const TAG: usize = 16;

/// Seals `plaintext` under a fresh nonce. Sealing the same twice gives different texts.
pub fn seal(key: &Key, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    seal_with(key, random(), aad, plaintext)
}

/// Opens what [`seal`] made with the same key and associated data.
///
/// # Errors
/// [`NotAuthentic`] for anything else, whatever its length.
pub fn open(key: &Key, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE>().ok_or(NotAuthentic)?;
    let (cipher, tail) = subcipher(key, nonce);
    let mut text = Zeroizing::new(ciphertext.to_vec());
    cipher.decrypt_in_place(&tail, aad, &mut *text).map_err(|_| NotAuthentic)?;
    Ok(text)
}

/// The nonce is a parameter for the published vectors' sake.
#[expect(
    clippy::expect_used,
    reason = "SP 800-38D §5.2.1.1: only a plaintext over 64 GiB fails, and bodies are capped"
)]
fn seal_with(key: &Key, nonce: [u8; NONCE], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let (cipher, tail) = subcipher(key, &nonce);
    let mut text = Vec::with_capacity(plaintext.len() + TAG);
    text.extend_from_slice(plaintext);
    cipher.encrypt_in_place(&tail, aad, &mut text).expect("the plaintext is shorter than 64 GiB");
    [nonce.as_slice(), &text].concat()
}

/// AES-256-GCM under the key derived from the first half of the nonce, and the second half for its nonce.
fn subcipher(key: &Key, nonce: &[u8; NONCE]) -> (Aes256Gcm, Nonce<aes::cipher::consts::U12>) {
    let (mut head, mut tail) = ([0; 12], [0; 12]);
    head.copy_from_slice(nonce.split_at(12).0);
    tail.copy_from_slice(nonce.split_at(12).1);
    (Aes256Gcm::new(&Array(*subkey(key, head))), Array(tail))
}

/// SP 800-108r1 in counter mode with CMAC, label `X` and the nonce's first half as context: two blocks.
fn subkey(key: &Key, context: [u8; 12]) -> Zeroizing<[u8; 32]> {
    let cipher = Aes256::new(&Array(*key.bytes()));
    let mask = cmac_subkey(&cipher);
    let mut derived = Zeroizing::new([0; 32]);
    for (counter, half) in (1..).zip(derived.chunks_exact_mut(16)) {
        let mut message = [0; 16];
        message[..4].copy_from_slice(&[0, counter, b'X', 0]);
        message[4..].copy_from_slice(&context);
        let mut block = Array((u128::from_be_bytes(message) ^ mask).to_be_bytes());
        cipher.encrypt_block(&mut block);
        half.copy_from_slice(&block);
    }
    derived
}

/// K1 of SP 800-38B §6.1: the image of zero, doubled in GF(2¹²⁸), without a branch on secret bits.
fn cmac_subkey(cipher: &Aes256) -> u128 {
    let mut zero = Array([0; 16]);
    cipher.encrypt_block(&mut zero);
    let image = u128::from_be_bytes(zero.0);
    (image << 1) ^ ((image >> 127) * 0b1000_0111)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use crate::crypto::testing::{array, hex};

    const NONCE_OF_VECTORS: &[u8; NONCE] = b"ABCDEFGHIJKLMNOPQRSTUVWX";

    #[test]
    fn agrees_with_the_vector_whose_most_significant_bit_is_0() {
        let key = Key::new([1; 32]);
        let derived = array::<32>("c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b");
        assert_eq!(*subkey(&key, *b"ABCDEFGHIJKL"), derived);
        let sealed = seal_with(&key, *NONCE_OF_VECTORS, b"", b"XAES-256-GCM");
        assert_eq!(sealed[NONCE..], hex("ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"));
        assert_eq!(**open(&key, b"", &sealed).unwrap(), *b"XAES-256-GCM");
    }

    #[test]
    fn agrees_with_the_vector_whose_most_significant_bit_is_1() {
        let key = Key::new([3; 32]);
        let derived = array::<32>("e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8");
        assert_eq!(*subkey(&key, *b"ABCDEFGHIJKL"), derived);
        let sealed = seal_with(&key, *NONCE_OF_VECTORS, b"c2sp.org/XAES-256-GCM", b"XAES-256-GCM");
        assert_eq!(sealed[NONCE..], hex("986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"));
        assert_eq!(**open(&key, b"c2sp.org/XAES-256-GCM", &sealed).unwrap(), *b"XAES-256-GCM");
    }

    /// The accumulated randomized test of the specification, 10,000 iterations.
    #[test]
    fn agrees_with_the_accumulated_vectors() {
        let (mut source, mut sum) = (Shake128::default(), Shake128::default());
        let variable = |source: &mut Shake128| {
            let length = source.read(1)[0];
            source.read(usize::from(length))
        };
        for _ in 0..10_000 {
            let key = Key::new(source.read(32).try_into().unwrap());
            let nonce = source.read(NONCE).try_into().unwrap();
            let plaintext = variable(&mut source);
            let aad = variable(&mut source);
            let sealed = seal_with(&key, nonce, &aad, &plaintext);
            assert_eq!(**open(&key, &aad, &sealed).unwrap(), *plaintext);
            sum.absorb(&sealed[NONCE..]);
        }
        assert_eq!(sum.read(32), hex("e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"));
    }

    #[test]
    fn the_generator_of_the_accumulated_vectors_is_shake_128() {
        assert_eq!(Shake128::default().read(16), hex("7f9c2ba4e88f827d616045507605853e"));
    }

    #[test]
    fn the_same_text_is_never_sealed_the_same_way() {
        let key = Key::new([9; 32]);
        assert_ne!(seal(&key, b"a", b"text"), seal(&key, b"a", b"text"));
        assert_eq!(seal(&key, b"a", b"text").len(), 4 + OVERHEAD);
    }

    #[test]
    fn a_wrong_key_opens_nothing() {
        let sealed = seal(&Key::new([9; 32]), b"a", b"text");
        assert_eq!(open(&Key::new([8; 32]), b"a", &sealed).err(), Some(NotAuthentic));
    }

    #[test]
    fn swapped_associated_data_open_nothing() {
        let key = Key::new([9; 32]);
        let (one, two) = (seal(&key, b"record 1", b"text"), seal(&key, b"record 2", b"text"));
        assert_eq!(open(&key, b"record 2", &one).err(), Some(NotAuthentic));
        assert_eq!(open(&key, b"record 1", &two).err(), Some(NotAuthentic));
        assert_eq!(open(&key, b"", &one).err(), Some(NotAuthentic));
    }

    #[test]
    fn a_truncated_or_lengthened_text_does_not_open() {
        let key = Key::new([9; 32]);
        let mut sealed = seal(&key, b"a", b"text");
        for length in 0..sealed.len() {
            assert_eq!(open(&key, b"a", &sealed[..length]).err(), Some(NotAuthentic), "{length} bytes");
        }
        sealed.push(0);
        assert_eq!(open(&key, b"a", &sealed).err(), Some(NotAuthentic));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let key = Key::new([9; 32]);
        let sealed = seal(&key, b"a", b"text");
        for bit in 0..sealed.len() * 8 {
            let mut broken = sealed.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, b"a", &broken).err(), Some(NotAuthentic), "bit {bit}");
        }
    }

    /// SHAKE128 (FIPS 202), only to reproduce the accumulated vectors.
    #[derive(Default)]
    struct Shake128 {
        lanes: [u64; 25],
        position: usize,
        squeezing: bool,
    }

    impl Shake128 {
        const RATE: usize = 168;

        fn absorb(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.xor(self.position, *byte);
                self.position += 1;
                if self.position == Self::RATE {
                    self.permute();
                }
            }
        }

        fn read(&mut self, count: usize) -> Vec<u8> {
            if !self.squeezing {
                self.xor(self.position, 0x1f);
                self.xor(Self::RATE - 1, 0x80);
                self.permute();
                self.squeezing = true;
            }
            let mut out = Vec::with_capacity(count);
            while out.len() < count {
                if self.position == Self::RATE {
                    self.permute();
                }
                out.push(self.lanes[self.position / 8].to_le_bytes()[self.position % 8]);
                self.position += 1;
            }
            out
        }

        fn xor(&mut self, position: usize, byte: u8) {
            self.lanes[position / 8] ^= u64::from(byte) << (8 * (position % 8));
        }

        /// Keccak-f[1600] (FIPS 202 §3), the round constants from its LFSR.
        fn permute(&mut self) {
            self.position = 0;
            let a = &mut self.lanes;
            let mut lfsr = 1u8;
            for _ in 0..24 {
                let columns: [u64; 5] = std::array::from_fn(|x| (0..5).fold(0, |sum, y| sum ^ a[x + 5 * y]));
                for (i, lane) in a.iter_mut().enumerate() {
                    *lane ^= columns[(i + 4) % 5] ^ columns[(i % 5 + 1) % 5].rotate_left(1);
                }
                let (mut x, mut y, mut current) = (1, 0, a[1]);
                for t in 0..24 {
                    (x, y) = (y, (2 * x + 3 * y) % 5);
                    let rotated = current.rotate_left((t + 1) * (t + 2) / 2 % 64);
                    current = std::mem::replace(&mut a[x + 5 * y], rotated);
                }
                for row in a.chunks_exact_mut(5) {
                    let old: [u64; 5] = row.try_into().unwrap();
                    for (x, lane) in row.iter_mut().enumerate() {
                        *lane = old[x] ^ (!old[(x + 1) % 5] & old[(x + 2) % 5]);
                    }
                }
                for j in 0..7 {
                    if lfsr & 1 == 1 {
                        a[0] ^= 1 << ((1u32 << j) - 1);
                    }
                    lfsr = (lfsr << 1) ^ ((lfsr >> 7) * 0x71);
                }
            }
        }
    }
}
