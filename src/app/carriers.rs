//! Carriers from settings, and the gauge of their links.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::AppError;
use crate::carrier::{
    Address, Carrier, HttpCarrier, SmppCarrier, SmppConfig, TemplateCarrier, TwilioCarrier, VonageCarrier,
};
use crate::config::{CarrierSettings, SmppLink, Template, Twilio, Vonage};
use crate::message::Alphabet;
use crate::phone;
use crate::telemetry;

/// Keeps the gauge of carrier links true.
pub(super) async fn watch_links(carriers: Vec<Arc<dyn Carrier>>, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        for carrier in &carriers {
            telemetry::metrics().carrier_up.with_label_values(&[carrier.name()]).set(i64::from(carrier.is_up()));
        }
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// The carrier that settings ask for.
pub(super) fn made(settings: &CarrierSettings, public_url: &str) -> Result<Made, AppError> {
    let wrong = |mend| AppError::HttpCarrier { carrier: settings.name().to_owned(), mend };
    Ok(match settings {
        CarrierSettings::Smpp(link) => Made::Linked(smpp(link)?),
        CarrierSettings::Twilio(account) => {
            Made::Http(Arc::new(TwilioCarrier::new(Twilio::clone(account), public_url).map_err(wrong)?))
        }
        CarrierSettings::Vonage(account) => {
            Made::Http(Arc::new(VonageCarrier::new(Vonage::clone(account), public_url).map_err(wrong)?))
        }
        CarrierSettings::Template(gateway) => {
            Made::Http(Arc::new(TemplateCarrier::new(Template::clone(gateway)).map_err(wrong)?))
        }
    })
}

/// A carrier, by who connects to whom.
pub(super) enum Made {
    /// It keeps links of its own.
    Linked(Arc<dyn Carrier>),
    /// It calls us, too.
    Http(Arc<dyn HttpCarrier>),
}

fn smpp(link: &SmppLink) -> Result<Arc<SmppCarrier>, AppError> {
    let config = SmppConfig {
        name: link.name.clone(),
        host: link.host.clone(),
        port: link.port,
        system_id: link.system_id.clone(),
        password: link.password.0.clone(),
        system_type: link.system_type.clone(),
        window: link.window,
        rate: link.rate,
        sender: sender(&link.sender),
        default_alphabet: if link.default_alphabet == "latin1" { Alphabet::Latin1 } else { Alphabet::Gsm7 },
        enquire_link_s: u32::from(link.enquire_link_s),
        region: link.region.clone(),
        live: true,
    };
    let made = SmppCarrier::new(config);
    made.map(Arc::new).map_err(|source| AppError::Carrier { carrier: link.name.clone(), source })
}

/// What a sender setting means: `+` and digits a number, few digits a short code, else a name.
fn sender(text: &str) -> Address {
    match phone::parse_virtual(text) {
        Some(number) if text.starts_with('+') => Address::Number(number),
        _ if text.bytes().all(|c| c.is_ascii_digit()) => Address::ShortCode(text.to_owned()),
        _ => Address::Name(text.to_owned()),
    }
}
