//! The PDU that binds a link, by what the link is for (SMPP 3.4 §4.1). The three differ in their command alone.

use rusmpp_core::CommandId;
use rusmpp_core::encode::{Encode, Length};
use zeroize::Zeroizing;

use super::SmppCarrier;
use super::settings::{Role, c_string};
use crate::config::SmppVersion;

/// A body that is written already.
pub(super) struct BindBody(Zeroizing<Vec<u8>>);

impl Length for BindBody {
    fn length(&self) -> usize {
        self.0.len()
    }
}

impl Encode for BindBody {
    fn encode(&self, room: &mut [u8]) -> usize {
        let written = room.get_mut(..self.0.len()).map(|room| room.copy_from_slice(&self.0));
        written.map_or(0, |()| self.0.len())
    }
}

/// The command and body that bind a link of this role.
pub(super) fn request(carrier: &SmppCarrier, role: Role) -> (CommandId, BindBody) {
    let id = match role {
        Role::Transceiver => CommandId::BindTransceiver,
        Role::Transmitter => CommandId::BindTransmitter,
        Role::Receiver => CommandId::BindReceiver,
    };
    let link = &carrier.link;
    let range = link.addressing.range;
    let version = match link.version {
        SmppVersion::V3_4 => 0x34,
        SmppVersion::V5_0 => 0x50,
    };
    let mut octets = Zeroizing::new(Vec::with_capacity(128));
    for text in [&link.system_id, &*link.password.0, &link.system_type] {
        octets.extend_from_slice(&c_string(text));
    }
    octets.extend_from_slice(&[version, range.ton, range.npi]);
    octets.extend_from_slice(&c_string(&link.address_range));
    (id, BindBody(octets))
}
