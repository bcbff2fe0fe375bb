//! Frames of an SMPP link: 16 octets of header, then a body (SMPP 3.4 §3.2).
//!
//! Owns where one PDU ends and the next begins, and nothing of what they mean. Invariants: at most [`MAX_FRAME`] octets
//! are ever read for one PDU; what passed is wiped when dropped. Called by `session`.

use rusmpp_core::encode::Encode;
use rusmpp_core::{CommandId, CommandStatus};
use tokio::io::{AsyncRead, AsyncReadExt};
use zeroize::Zeroizing;

/// The header's length in octets, which `command_length` counts too.
const HEADER: usize = 16;
/// The longest PDU taken, header included: room for a `message_payload` of any length that carries a message.
const MAX_FRAME: usize = 65_536;

/// One PDU, its body unread.
pub(super) struct Frame {
    pub(super) id: CommandId,
    pub(super) status: u32,
    pub(super) sequence: u32,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Why no further frame can be read from a link.
#[derive(Debug)]
pub(super) enum FrameError {
    /// `command_length` is no length a PDU can have: where the next one begins is unknown.
    Length { sequence: u32 },
    /// The link is gone.
    Closed,
}

impl Frame {
    /// Reads the next frame. Not cancel-safe: a dropped read loses its place.
    pub(super) async fn read(link: &mut (impl AsyncRead + Unpin)) -> Result<Self, FrameError> {
        let closed = |_| FrameError::Closed;
        let length = link.read_u32().await.map_err(closed)?;
        let id = CommandId::from(link.read_u32().await.map_err(closed)?);
        let status = link.read_u32().await.map_err(closed)?;
        let sequence = link.read_u32().await.map_err(closed)?;
        let body = usize::try_from(length).ok().filter(|length| *length <= MAX_FRAME);
        let body = body.and_then(|length| length.checked_sub(HEADER)).ok_or(FrameError::Length { sequence })?;
        let mut body = Zeroizing::new(vec![0; body]);
        link.read_exact(&mut body).await.map_err(closed)?;
        Ok(Self { id, status, sequence, body })
    }

    /// Whether it answers a request (SMPP 3.4 §5.1.2.1: bit 31 of the command id), `generic_nack` included.
    pub(super) fn is_answer(&self) -> bool {
        u32::from(self.id) & 0x8000_0000 != 0
    }
}

/// The octets of a PDU without body.
pub(super) fn bare(id: CommandId, status: CommandStatus, sequence: u32) -> Zeroizing<Vec<u8>> {
    written(id, status, sequence, 0, |_| {})
}

/// The octets of a PDU with `body`.
pub(super) fn full(id: CommandId, sequence: u32, body: &impl Encode) -> Zeroizing<Vec<u8>> {
    written(id, CommandStatus::EsmeRok, sequence, body.length(), |room| {
        body.encode(room);
    })
}

/// The octets of the answer to a `deliver_sm` or `data_sm`, whose `message_id` is always empty (SMPP 3.4 §4.6.2, §4.7.2).
pub(super) fn answer(request: CommandId, status: CommandStatus, sequence: u32) -> Zeroizing<Vec<u8>> {
    let id = if request == CommandId::DataSm { CommandId::DataSmResp } else { CommandId::DeliverSmResp };
    written(id, status, sequence, 1, |_| {})
}

fn written(
    id: CommandId,
    status: CommandStatus,
    sequence: u32,
    body: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Zeroizing<Vec<u8>> {
    let length = u32::try_from(HEADER + body).unwrap_or(u32::MAX);
    let mut octets = Zeroizing::new(Vec::with_capacity(HEADER + body));
    for word in [length, u32::from(id), u32::from(status), sequence] {
        octets.extend_from_slice(&word.to_be_bytes());
    }
    octets.resize(HEADER + body, 0);
    if let Some((_, room)) = octets.split_at_mut_checked(HEADER) {
        fill(room);
    }
    octets
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    async fn read(octets: &[u8]) -> Result<Frame, FrameError> {
        Frame::read(&mut &octets[..]).await
    }

    #[tokio::test]
    async fn what_is_written_is_read_again() {
        let frame = read(&bare(CommandId::EnquireLink, CommandStatus::EsmeRok, 7)).await.unwrap();
        assert_eq!((frame.id, frame.sequence, frame.body.len()), (CommandId::EnquireLink, 7, 0));
        assert!(!frame.is_answer());
        let frame = read(&answer(CommandId::DeliverSm, CommandStatus::EsmeRxTAppn, 9)).await.unwrap();
        assert_eq!((frame.status, frame.sequence, frame.body.as_slice()), (0x64, 9, &[0][..]));
        assert!(frame.is_answer());
    }

    #[tokio::test]
    async fn an_absurd_length_is_told_with_its_sequence_and_allocates_nothing() {
        for length in [0u32, 15, 65_537, u32::MAX] {
            let mut octets = length.to_be_bytes().to_vec();
            octets.extend([0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 42]);
            match read(&octets).await {
                Err(FrameError::Length { sequence }) => assert_eq!(sequence, 42),
                _ => panic!("{length} was taken"),
            }
        }
    }

    #[tokio::test]
    async fn a_cut_frame_is_a_closed_link() {
        let whole = answer(CommandId::DeliverSm, CommandStatus::EsmeRok, 1);
        for cut in 0..whole.len() {
            assert!(matches!(read(&whole[..cut]).await, Err(FrameError::Closed)), "{cut}");
        }
    }
}
