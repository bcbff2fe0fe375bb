//! Carriers from settings, and what metrics show of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::AppError;
use crate::carrier::{
    Address, Carrier, CarrierCounts, HttpCarrier, SmppCarrier, TemplateCarrier, TwilioCarrier, VonageCarrier,
};
use crate::config::{CarrierSettings, SmppLink, Template, Twilio, Vonage};
use crate::phone;
use crate::telemetry;

/// Keeps what metrics show of the carriers true.
pub(super) async fn watch_links(carriers: Vec<Arc<dyn Carrier>>, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut shown = vec![CarrierCounts::default(); carriers.len()];
    loop {
        for (carrier, shown) in carriers.iter().zip(&mut shown) {
            show(carrier.as_ref(), shown);
        }
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Shows what a carrier did since `shown`, and how it stands.
fn show(carrier: &dyn Carrier, shown: &mut CarrierCounts) {
    let (metrics, name) = (telemetry::metrics(), carrier.name());
    let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    metrics.carrier_up.with_label_values(&[name]).set(i64::from(carrier.is_up()));
    let Some(now) = carrier.counts() else { return };
    metrics.carrier_links.with_label_values(&[name]).set(gauge(now.links));
    metrics.carrier_waiting.with_label_values(&[name]).set(gauge(now.waiting));
    metrics.carrier_window.with_label_values(&[name]).set(gauge(now.window));
    for (kind, count, before) in [
        ("sent", now.sent, shown.sent),
        ("throttled", now.throttled, shown.throttled),
        ("errors", now.errors, shown.errors),
        ("received", now.received, shown.received),
        ("repeats", now.repeats, shown.repeats),
        ("receipts", now.receipts, shown.receipts),
        ("malformed", now.malformed, shown.malformed),
    ] {
        metrics.carrier_traffic.with_label_values(&[name, kind]).inc_by(count.saturating_sub(before));
    }
    *shown = now;
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
    let made = SmppCarrier::new(link.clone(), sender(&link.sender));
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
