//! `kind = "smpp"`: how to reach an SMSC, and which of the protocol's many customs it follows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::Section;
use crate::config::{ConfigError, Hidden, secret};

/// An SMPP link to a carrier.
#[derive(Clone, Debug)]
pub struct SmppLink {
    /// Its name, as pools and routes use it.
    pub name: String,
    /// Where it keeps what passes it.
    pub region: Option<String>,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The certificates that may vouch for the SMSC and the name it has to have, if it speaks TLS.
    pub tls: Option<SmppTlsFiles>,
    /// Where the SMSC connects to us for what it delivers, if it does.
    pub outbind: Option<SmppOutbind>,
    /// Who we are to the SMSC.
    pub system_id: String,
    /// The secret, already read from wherever it is kept.
    pub password: Hidden,
    /// Often empty.
    pub system_type: String,
    /// Which numbers we ask for when we bind; often empty.
    pub address_range: String,
    /// One connection for both directions, or one for each.
    pub bind: SmppBind,
    /// How many such connections, or pairs of them.
    pub binds: u16,
    /// As which version of the protocol we bind.
    pub version: SmppVersion,
    /// Most submits without an answer, over all binds.
    pub window: u16,
    /// Messages a second, 0 for no limit.
    pub rate: u32,
    /// What codes show as their sender: a number, a short code or a name.
    pub sender: String,
    /// What data coding 0 means here.
    pub default_alphabet: SmppAlphabet,
    /// How its receipts spell the ids of its answers.
    pub id_format: IdFormat,
    /// How the parts of a long message are tied together.
    pub concat: Concat,
    /// With which command messages are handed over.
    pub command: SubmitCommand,
    /// Which receipts are asked for.
    pub receipts: ReceiptsWanted,
    /// The longest validity asked for, in seconds; 0 for the SMSC's own.
    pub validity_s: u32,
    /// Type of number and numbering plan of each kind of address.
    pub addressing: Addressing,
    /// What stands before the digits of a device on the wire: nothing, `+` or `00`.
    pub prefix: String,
    /// Country code of national numbers that come in, if they do.
    pub country: String,
    /// What `err` of its receipts means, beside the codes of 3GPP TS 29.002.
    pub error_codes: BTreeMap<String, String>,
    /// The type of service, at most 5 characters; often empty.
    pub service_type: String,
    /// Seconds between signs of life.
    pub enquire_link_s: u16,
    /// Seconds that an answer may take.
    pub answer_s: u16,
    /// Seconds between tries to bind, at most.
    pub reconnect_s: u16,
}

/// What the SMSC's certificate is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmppTlsFiles {
    /// Certificates that vouch for it, PEM, in place of the system's.
    pub ca: Option<PathBuf>,
    /// The name that it has to have.
    pub name: String,
}

/// Where an SMSC connects to us, and what its `outbind` has to show.
#[derive(Clone, Debug)]
pub struct SmppOutbind {
    /// Where we listen.
    pub listen: SocketAddr,
    /// Who the SMSC is.
    pub system_id: String,
    /// Its secret.
    pub password: Hidden,
}

/// Connections and what each carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmppBind {
    /// Both directions on one.
    Transceiver,
    /// A transmitter and a receiver.
    Separate,
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum SmppVersion {
    /// 3.4, which nearly every SMSC speaks.
    #[serde(rename = "3.4")]
    V3_4,
    /// 5.0, with its `congestion_state`.
    #[serde(rename = "5.0")]
    V5_0,
}

/// An alphabet of one octet a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmppAlphabet {
    /// GSM 7-bit, one septet an octet.
    Gsm7,
    /// ISO 8859-1.
    Latin1,
}

/// How the ids in receipts stand to those in `submit_sm_resp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdFormat {
    /// Learned from the first receipts.
    Auto,
    /// The same text.
    AsIs,
    /// Both hexadecimal; zeros and case may differ.
    Hex,
    /// Both decimal; zeros may differ.
    Decimal,
    /// Hexadecimal in answers, decimal in receipts.
    HexToDecimal,
    /// Decimal in answers, hexadecimal in receipts.
    DecimalToHex,
}

/// How parts are tied together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concat {
    /// A user data header with an 8-bit reference.
    Udh8,
    /// A user data header with a 16-bit reference.
    Udh16,
    /// The `sar_*` TLVs.
    Sar,
    /// Not at all: the whole text in `message_payload`.
    Payload,
}

/// What hands a message over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitCommand {
    /// The usual one.
    SubmitSm,
    /// The short one, whose text is always `message_payload`.
    DataSm,
}

/// `registered_delivery` (SMPP 3.4 §5.2.17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptsWanted {
    /// Of the final outcome.
    Final,
    /// Of failures only.
    Failure,
    /// Of the outcome, and of what happens on the way.
    All,
    /// None.
    None,
}

/// Type of number and numbering plan, as `"TON/NPI"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TonNpi {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan.
    pub npi: u8,
}

impl TryFrom<String> for TonNpi {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let pair = text.split_once('/').and_then(|(ton, npi)| Some((ton.parse().ok()?, npi.parse().ok()?)));
        pair.map(|(ton, npi)| Self { ton, npi }).ok_or("no \"TON/NPI\", as \"1/1\"")
    }
}

/// How addresses are marked on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Addressing {
    /// Devices that we write to.
    pub device: TonNpi,
    /// Numbers shown as senders.
    pub number: TonNpi,
    /// Short codes shown as senders.
    pub short_code: TonNpi,
    /// Names shown as senders.
    pub name: TonNpi,
    /// The range asked for when binding.
    pub range: TonNpi,
}

impl Default for Addressing {
    fn default() -> Self {
        let of = |ton, npi| TonNpi { ton, npi };
        Self { device: of(1, 1), number: of(1, 1), short_code: of(3, 0), name: of(5, 0), range: of(0, 0) }
    }
}

/// The section as people write it, without what every kind has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    host: String,
    port: Option<u16>,
    tls: bool,
    tls_ca: Option<PathBuf>,
    tls_name: Option<String>,
    outbind: Option<RawOutbind>,
    system_id: String,
    password: String,
    system_type: String,
    address_range: String,
    bind: SmppBind,
    binds: u16,
    version: SmppVersion,
    window: u16,
    rate: u32,
    sender: String,
    default_alphabet: SmppAlphabet,
    id_format: IdFormat,
    concat: Concat,
    command: SubmitCommand,
    receipts: ReceiptsWanted,
    validity_s: u32,
    addressing: Addressing,
    prefix: String,
    country: String,
    error_codes: BTreeMap<String, String>,
    service_type: String,
    enquire_link_s: u16,
    answer_s: u16,
    reconnect_s: u16,
}

/// `outbind = { listen = "…", system_id = "…", password = "…" }` as people write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutbind {
    listen: SocketAddr,
    system_id: String,
    password: String,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: None,
            tls: false,
            tls_ca: None,
            tls_name: None,
            outbind: None,
            system_id: String::new(),
            password: String::new(),
            system_type: String::new(),
            address_range: String::new(),
            bind: SmppBind::Transceiver,
            binds: 1,
            version: SmppVersion::V3_4,
            window: 64,
            rate: 0,
            sender: String::new(),
            default_alphabet: SmppAlphabet::Gsm7,
            id_format: IdFormat::Auto,
            concat: Concat::Udh8,
            command: SubmitCommand::SubmitSm,
            receipts: ReceiptsWanted::Final,
            validity_s: LONGEST_VALIDITY,
            addressing: Addressing::default(),
            prefix: String::new(),
            country: String::new(),
            error_codes: BTreeMap::new(),
            service_type: String::new(),
            enquire_link_s: 30,
            answer_s: 10,
            reconnect_s: 30,
        }
    }
}

/// The link that a section asks for.
pub(super) fn link(mut section: Section<'_>) -> Result<SmppLink, ConfigError> {
    let raw: Raw = section.read()?;
    if let Some((key, mend)) = raw.fault() {
        return Err(section.wrong(key, mend));
    }
    let password = secret(&raw.password).map_err(|mend| section.wrong("password", &mend))?;
    let outbind = raw.outbind.as_ref().map(|outbind| {
        let password = secret(&outbind.password).map_err(|mend| section.wrong("outbind.password", &mend))?;
        Ok(SmppOutbind { listen: outbind.listen, system_id: outbind.system_id.clone(), password })
    });
    let tls = raw.tls.then(|| SmppTlsFiles {
        ca: raw.tls_ca.as_deref().map(section.at),
        name: raw.tls_name.clone().unwrap_or_else(|| raw.host.clone()),
    });
    Ok(SmppLink {
        name: section.name.clone(),
        region: section.region.clone(),
        port: raw.port.unwrap_or(if raw.tls { 3550 } else { 2775 }),
        tls,
        outbind: outbind.transpose()?,
        password,
        host: raw.host,
        system_id: raw.system_id,
        system_type: raw.system_type,
        address_range: raw.address_range,
        bind: raw.bind,
        binds: raw.binds,
        version: raw.version,
        window: raw.window,
        rate: raw.rate,
        sender: raw.sender,
        default_alphabet: raw.default_alphabet,
        id_format: raw.id_format,
        concat: raw.concat,
        command: raw.command,
        receipts: raw.receipts,
        validity_s: raw.validity_s,
        addressing: raw.addressing,
        prefix: raw.prefix,
        country: raw.country,
        error_codes: raw.error_codes,
        service_type: raw.service_type,
        enquire_link_s: raw.enquire_link_s,
        answer_s: raw.answer_s,
        reconnect_s: raw.reconnect_s,
    })
}

impl Raw {
    /// The first setting that cannot be, and how to mend it.
    fn fault(&self) -> Option<(&'static str, &'static str)> {
        let ascii = |text: &str, most: usize| text.is_ascii() && text.len() <= most;
        let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
        let sound = [
            (!self.host.is_empty(), "host", "is missing; write the SMSC's host name or address"),
            (self.port != Some(0), "port", "is no port; write 2775 say"),
            (self.tls || self.tls_ca.is_none(), "tls_ca", "means nothing without TLS; add tls = true"),
            (self.tls || self.tls_name.is_none(), "tls_name", "means nothing without TLS; add tls = true"),
            (
                self.outbind
                    .as_ref()
                    .is_none_or(|outbind| !outbind.system_id.is_empty() && !outbind.password.is_empty()),
                "outbind",
                "needs the system_id and password that the SMSC shows; anybody could connect without",
            ),
            (
                self.outbind.is_none() || !self.tls,
                "outbind",
                "does not go with tls: the SMSC connects in plain; leave one of them out",
            ),
            (
                self.outbind.is_none() || self.binds == 1,
                "outbind",
                "goes with binds = 1: the SMSC opens one connection; leave binds out",
            ),
            (ascii(&self.system_id, 15), "system_id", "has at most 15 ASCII characters"),
            (ascii(&self.system_type, 12), "system_type", "has at most 12 ASCII characters"),
            (ascii(&self.address_range, 40), "address_range", "has at most 40 ASCII characters"),
            (ascii(&self.service_type, 5), "service_type", "has at most 5 ASCII characters"),
            ((1..=MOST_BINDS).contains(&self.binds), "binds", "write 1 to 16"),
            (self.window >= self.binds, "window", "has to be at least 1 for each of binds; write a larger one"),
            ((1..=3_600).contains(&self.enquire_link_s), "enquire_link_s", "write 1 to 3600"),
            ((1..=25).contains(&self.answer_s), "answer_s", "write 1 to 25"),
            ((1..=3_600).contains(&self.reconnect_s), "reconnect_s", "write 1 to 3600"),
            (self.validity_s <= LONGEST_VALIDITY, "validity_s", "write at most 172800 (two days), or 0"),
            (matches!(self.prefix.as_str(), "" | "+" | "00"), "prefix", "write \"\", \"+\" or \"00\""),
            (digits(&self.country) && self.country.len() <= 3, "country", "write a country code: \"44\" say"),
            (
                (1..=16).contains(&self.sender.len()),
                "sender",
                "write what codes show as their sender: \"+number\", a short code or a name of at most 11 characters",
            ),
        ];
        sound.into_iter().find(|(sound, ..)| !sound).map(|(_, key, mend)| (key, mend))
    }
}

const MOST_BINDS: u16 = 16;
const LONGEST_VALIDITY: u32 = 172_800;
