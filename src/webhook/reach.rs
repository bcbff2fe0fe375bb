//! Which addresses may be called. Asked on the very address that a connection is then made to, never on a name.
//!
//! Refused is whatever is not an address of the public internet (IANA's special-purpose registries), and what a public
//! address would only disguise: IPv4 inside IPv6 is judged as the IPv4 that it is. Settings may open networks; our own
//! listeners, no address and groups of addresses stay closed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What may be called beyond the public internet, and what never.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Networks that settings open, also for plain HTTP.
    pub allowed: Vec<IpNet>,
    /// Where we listen ourselves.
    pub own: Vec<SocketAddr>,
}

impl Reach {
    /// The address to connect to, if it may be called: with TLS, or also without.
    pub(super) fn admits(&self, to: SocketAddr, secure: bool) -> Option<SocketAddr> {
        let address = plain(to.ip());
        let is_allowed = self.allowed.iter().any(|net| net.contains(&address));
        let may = if is_allowed { !is_nobody(address) } else { secure && is_public(address) };
        (may && !self.is_own(address, to.port())).then(|| SocketAddr::new(reachable(to.ip(), address), to.port()))
    }

    /// Whether plain HTTP can be allowed at all.
    pub(super) fn has_open_networks(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// Whether we would be calling ourselves: a listener's very address, or, where one listens on all addresses, any
    /// of this machine's.
    fn is_own(&self, address: IpAddr, port: u16) -> bool {
        self.own.iter().filter(|own| own.port() == port).any(|own| {
            let listens = plain(own.ip());
            listens == address || (listens.is_unspecified() && is_here(address))
        })
    }
}

/// An address is this machine's if something can be bound to it.
fn is_here(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

/// What an address stands for: IPv4 that is mapped into IPv6, or translated by the well-known prefix (RFC 6052), is
/// itself.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    match six.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => address,
    }
}

/// A translated address is reached through its translator, a mapped one as what it maps.
fn reachable(given: IpAddr, plain: IpAddr) -> IpAddr {
    match given {
        IpAddr::V6(six) if six.to_ipv4_mapped().is_none() => given,
        _ => plain,
    }
}

/// No address, or a group: no setting opens these.
fn is_nobody(address: IpAddr) -> bool {
    address.is_unspecified()
        || address.is_multicast()
        || matches!(address, IpAddr::V4(four) if four.octets().first() == Some(&0) || four.is_broadcast())
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => !CLOSED_4.iter().any(|net| net.contains(&four)),
        IpAddr::V6(six) => GLOBAL_6.contains(&six) && !CLOSED_6.iter().any(|net| net.contains(&six)),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

const CLOSED_4: [Ipv4Net; 17] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    // Behind the carrier's NAT (RFC 6598); a cloud's metadata lives there too.
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    // Link-local, and most clouds' metadata.
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 31, 196, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    // A public address by which one cloud's machines ask for their own secrets.
    v4(168, 63, 129, 16, 32),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// The only part of IPv6 that is given out (RFC 4291 §2.4).
const GLOBAL_6: Ipv6Net = v6(0x2000, 0, 3);

const CLOSED_6: [Ipv6Net; 4] = [
    // Protocol assignments, Teredo among them, which hides an IPv4 address.
    v6(0x2001, 0, 23),
    v6(0x2001, 0xdb8, 32),
    // 6to4: another disguise of IPv4.
    v6(0x2002, 0, 16),
    v6(0x3fff, 0, 20),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn reach(allowed: &[&str], own: &[&str]) -> Reach {
        Reach {
            allowed: allowed.iter().map(|net| net.parse().unwrap()).collect(),
            own: own.iter().map(|address| address.parse().unwrap()).collect(),
        }
    }

    fn at(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 443)
    }

    #[test]
    fn the_public_internet_may_be_called_over_tls_alone() {
        for address in ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::101:101"] {
            assert_eq!(reach(&[], &[]).admits(at(address), true), Some(at(address)));
            assert_eq!(reach(&[], &[]).admits(at(address), false), None);
        }
        assert_eq!(reach(&[], &[]).admits(at("::ffff:1.1.1.1"), true), Some(at("1.1.1.1")));
    }

    #[test]
    fn nothing_else_may_in_any_disguise() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert_eq!(reach(&[], &[]).admits(at(address), true), None, "{address}");
        }
    }

    #[test]
    fn settings_open_networks_but_neither_groups_nor_ourselves() {
        let open = reach(&["127.0.0.0/8", "fd00::/8"], &["127.0.0.1:443", "0.0.0.0:9090"]);
        assert_eq!(open.admits(at("127.0.0.2"), false), Some(at("127.0.0.2")));
        assert_eq!(open.admits(at("::ffff:127.0.0.2"), false), Some(at("127.0.0.2")));
        assert_eq!(open.admits(at("fd00::7"), false), Some(at("fd00::7")));
        assert_eq!(open.admits(at("10.0.0.1"), true), None);
        assert_eq!(open.admits(at("127.0.0.1"), true), None, "our own listener");
        assert_eq!(open.admits("127.0.0.9:9090".parse().unwrap(), true), None, "we listen on all addresses");
        let all = reach(&["0.0.0.0/0", "::/0"], &[]);
        for address in ["0.0.0.0", "0.0.0.1", "224.0.0.1", "255.255.255.255", "::", "ff02::1"] {
            assert_eq!(all.admits(at(address), true), None, "{address}");
        }
        assert_eq!(all.admits(at("10.0.0.1"), false), Some(at("10.0.0.1")));
    }
}
