//! One AES-256 block (FIPS 197): a permutation of 128 bits under a key.
//!
//! No mode, no authentication. Only for what is unique, of exactly one block, and checked by its own contents after
//! decryption, which is what a vaulted token is: a record id and a tag of tenant and audience.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

use super::Key;

/// The image of `block`.
pub fn encrypt(key: &Key, block: [u8; 16]) -> [u8; 16] {
    let mut block = Array(block);
    Aes256::new(&Array(*key.bytes())).encrypt_block(&mut block);
    block.0
}

/// The block whose image is `block`.
pub fn decrypt(key: &Key, block: [u8; 16]) -> [u8; 16] {
    let mut block = Array(block);
    Aes256::new(&Array(*key.bytes())).decrypt_block(&mut block);
    block.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::array;

    /// FIPS 197, appendix C.3.
    #[test]
    fn agrees_with_fips_197() {
        let key = Key::new(array("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"));
        let plain = array("00112233445566778899aabbccddeeff");
        let cipher = array("8ea2b7ca516745bfeafc49904b496089");
        assert_eq!(encrypt(&key, plain), cipher);
        assert_eq!(decrypt(&key, cipher), plain);
    }

    #[test]
    fn another_key_gives_another_block() {
        let image = encrypt(&Key::new([1; 32]), [7; 16]);
        assert_ne!(decrypt(&Key::new([2; 32]), image), [7; 16]);
    }
}
