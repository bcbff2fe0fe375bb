//! The text of a code message, by language. Pure.
//!
//! Each names the brand first (in Chinese as 【brand】, which carriers there ask for), the code once, its life in minutes,
//! and asks not to pass it on. The English, Spanish, German and Indonesian words stay within the GSM 7-bit alphabet
//! (3GPP TS 23.038 §6.2.1), so that a message is one segment; other languages keep their marks and cost what they cost.
//! The last line binds the code to a site (WebOTP, wicg.github.io/sms-one-time-codes) or to an Android app.

use zeroize::Zeroizing;

use crate::guard::is_unprintable;
use crate::store::Transaction;

/// What a message is made of.
pub(super) struct Contents<'a> {
    /// As [`brand`] gave it.
    pub(super) brand: &'a str,
    pub(super) code: &'a str,
    pub(super) minutes: u64,
    pub(super) locale: Option<&'a str>,
    pub(super) transaction: Option<&'a Transaction>,
    pub(super) origin: Option<&'a str>,
    pub(super) app_hash: Option<&'a str>,
}

/// One language's words. `{brand}`, `{code}`, `{minutes}`, `{amount}` and `{payee}` are filled in.
struct Words {
    /// Primary language subtag, with the script where it decides.
    tag: &'static str,
    message: &'static str,
    /// Put before the message when the code confirms a payment.
    payment: &'static str,
}

/// The whole text.
pub(super) fn compose(contents: &Contents<'_>) -> Zeroizing<String> {
    let words = words(contents.locale);
    // As long as it can get, so that the code is never moved and left behind.
    let mut text = Zeroizing::new(String::with_capacity(CAPACITY));
    fill(&mut text, words.message, contents);
    if contents.transaction.is_some() {
        text.push(' ');
        fill(&mut text, words.payment, contents);
    }
    if let Some(host) = contents.origin {
        for part in ["\n@", host, " #", contents.code] {
            text.push_str(part);
        }
    } else if let Some(hash) = contents.app_hash {
        text.push('\n');
        text.push_str(hash);
    }
    text
}

/// A tenant's name as it may stand in a message: one line, visible, without the brackets that mark a signature.
pub(super) fn brand(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !is_unprintable(*c) && !matches!(c, '【' | '】')).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let short: String = words.join(" ").chars().take(LONGEST_BRAND).collect();
    short.trim_end().to_owned()
}

/// The words for a language tag: script if it decides, else the primary subtag (RFC 4647 §3.4, lookup), else English.
fn words(locale: Option<&str>) -> &'static Words {
    let tag = locale.unwrap_or_default().to_ascii_lowercase();
    let mut subtags = tag.split('-');
    let mut primary = subtags.next().unwrap_or_default();
    if primary == "zh" && subtags.any(|s| matches!(s, "hant" | "tw" | "hk" | "mo")) && !tag.contains("hans") {
        primary = "zh-hant";
    }
    // The code that Java still writes for Indonesian.
    if primary == "in" {
        primary = "id";
    }
    WORDS.iter().find(|words| words.tag == primary).unwrap_or(&ENGLISH)
}

/// Fills a pattern in one pass, so that a brand or payee that looks like a placeholder stays as it is.
fn fill(text: &mut String, pattern: &str, contents: &Contents<'_>) {
    let mut rest = pattern;
    while let Some((plain, name, after)) =
        rest.split_once('{').and_then(|(plain, tail)| tail.split_once('}').map(|(name, after)| (plain, name, after)))
    {
        text.push_str(plain);
        match (name, contents.transaction) {
            ("brand", _) => text.push_str(contents.brand),
            ("code", _) => text.push_str(contents.code),
            ("minutes", _) => text.push_str(&contents.minutes.to_string()),
            ("amount", Some(transaction)) => text.push_str(&transaction.amount),
            ("payee", Some(transaction)) => text.push_str(&transaction.payee),
            _ => {}
        }
        rest = after;
    }
    text.push_str(rest);
}

const LONGEST_BRAND: usize = 32;
const CAPACITY: usize = 1_024;

const ENGLISH: Words = Words {
    tag: "en",
    message: "{brand}: your code is {code}, valid for {minutes} min. Do not share it with anyone.",
    payment: "Confirms payment of {amount} to {payee}.",
};

const WORDS: [Words; 14] = [
    ENGLISH,
    Words {
        tag: "vi",
        message: "{brand}: mã xác thực {code}, hiệu lực {minutes} phút. Không chia sẻ mã.",
        payment: "Xác nhận thanh toán {amount} cho {payee}.",
    },
    Words {
        tag: "zh",
        message: "【{brand}】验证码 {code}，{minutes} 分钟内有效。请勿告知他人。",
        payment: "用于向 {payee} 付款 {amount}。",
    },
    Words {
        tag: "zh-hant",
        message: "【{brand}】驗證碼 {code}，{minutes} 分鐘內有效。請勿告知他人。",
        payment: "用於向 {payee} 付款 {amount}。",
    },
    Words {
        tag: "fr",
        message: "{brand} : votre code est {code}, valable {minutes} min. Ne le communiquez à personne.",
        payment: "Il confirme le paiement de {amount} à {payee}.",
    },
    Words {
        tag: "es",
        message: "{brand}: su clave es {code}, vence en {minutes} min. No la comparta con nadie.",
        payment: "Confirma el pago de {amount} a {payee}.",
    },
    Words {
        tag: "de",
        message: "{brand}: Ihr Code lautet {code}, gültig für {minutes} Min. Geben Sie ihn nicht weiter.",
        payment: "Er bestätigt die Zahlung von {amount} an {payee}.",
    },
    Words {
        tag: "pt",
        message: "{brand}: seu código é {code}, válido por {minutes} min. Não compartilhe.",
        payment: "Confirma o pagamento de {amount} a {payee}.",
    },
    Words {
        tag: "id",
        message: "{brand}: kode Anda {code}, berlaku {minutes} menit. Jangan berikan kepada siapa pun.",
        payment: "Untuk konfirmasi pembayaran {amount} kepada {payee}.",
    },
    Words {
        tag: "th",
        message: "{brand}: รหัสของคุณคือ {code} ใช้ได้ {minutes} นาที ห้ามบอกผู้อื่น",
        payment: "เพื่อยืนยันการชำระ {amount} ให้ {payee}",
    },
    Words {
        tag: "ja",
        message: "{brand}: 認証コードは {code} です。有効期限は{minutes}分です。他人に教えないでください。",
        payment: "{payee} への {amount} の支払いを確認します。",
    },
    Words {
        tag: "ko",
        message: "{brand}: 인증번호는 {code}입니다. {minutes}분간 유효합니다. 타인에게 알려주지 마세요.",
        payment: "{payee}에 대한 {amount} 결제를 확인합니다.",
    },
    Words {
        // The count stands after a colon, because the word for minutes changes with it.
        tag: "ar",
        message: "{brand}: رمز التحقق {code}. الصلاحية بالدقائق: {minutes}. لا تشاركه.",
        payment: "لتأكيد دفع {amount} إلى {payee}.",
    },
    Words {
        tag: "hi",
        message: "{brand}: आपका कोड {code} है, {minutes} मिनट तक मान्य। किसी को न बताएं।",
        payment: "{payee} को {amount} के भुगतान की पुष्टि के लिए।",
    },
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The languages of the contract.
    const LOCALES: [&str; 13] = ["en", "vi", "zh", "es", "fr", "de", "pt", "id", "th", "ja", "ko", "ar", "hi"];

    /// 3GPP TS 23.038 §6.2.1: the default alphabet, one septet a character.
    const GSM7: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                        ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

    fn contents(locale: &str) -> Contents<'_> {
        Contents {
            brand: "HoaSen Shop",
            code: "048213",
            minutes: 5,
            locale: Some(locale),
            transaction: None,
            origin: None,
            app_hash: None,
        }
    }

    fn is_one_segment(text: &str) -> bool {
        match text.chars().all(|c| GSM7.contains(c)) {
            true => text.chars().count() <= 160,
            false => text.encode_utf16().count() <= 70,
        }
    }

    #[test]
    fn every_language_has_code_once_brand_and_minutes_in_one_segment() {
        for locale in LOCALES.into_iter().chain(["zh-Hant-TW"]) {
            let text = compose(&contents(locale));
            assert_eq!(text.matches("048213").count(), 1, "{locale}");
            assert!(text.starts_with("HoaSen Shop") || text.starts_with("【HoaSen Shop】"), "{locale}");
            assert_eq!(text.matches('5').count(), 1, "{locale}");
            assert!(is_one_segment(&text), "{locale}: {}", text.encode_utf16().count());
            assert!(!text.contains(['{', '}']), "{locale}");
            assert!(words(Some(locale)).tag.starts_with(locale.get(..2).unwrap()), "{locale} fell back");
        }
    }

    #[test]
    fn english_fits_a_gsm_7_segment_with_a_long_code_brand_and_site() {
        let brand = "A".repeat(LONGEST_BRAND);
        let text = compose(&Contents {
            brand: &brand,
            code: "0482130482",
            minutes: 10,
            origin: Some("shop.example"),
            ..contents("en")
        });
        assert!(text.chars().all(|c| GSM7.contains(c)), "{}", *text);
        assert!(text.chars().count() <= 160, "{}", text.chars().count());
        for locale in ["en", "es", "de", "id", "fr"] {
            assert!(compose(&contents(locale)).chars().all(|c| GSM7.contains(c)), "{locale}");
        }
    }

    #[test]
    fn chinese_carries_its_signature_first_and_vietnamese_its_marks() {
        assert_eq!(*compose(&contents("zh-CN")), "【HoaSen Shop】验证码 048213，5 分钟内有效。请勿告知他人。");
        assert!(compose(&contents("zh-TW")).contains("驗證碼"));
        assert!(compose(&contents("zh-Hans-HK")).contains("验证码"));
        assert!(compose(&contents("vi-VN")).contains("mã xác thực 048213, hiệu lực 5 phút"));
    }

    #[test]
    fn an_unknown_language_reads_english() {
        for locale in [None, Some("tlh"), Some("x"), Some("")] {
            assert_eq!(words(locale).tag, "en");
        }
        assert_eq!(words(Some("in-ID")).tag, "id");
        assert_eq!(words(Some("PT-br")).tag, "pt");
    }

    #[test]
    fn the_last_line_is_the_site_or_the_app() {
        let site = compose(&Contents { origin: Some("shop.example"), ..contents("en") });
        assert_eq!(site.lines().last(), Some("@shop.example #048213"));
        let app = compose(&Contents { app_hash: Some("FA+9qCX9VSu"), ..contents("vi") });
        assert_eq!(app.lines().last(), Some("FA+9qCX9VSu"));
        assert_eq!(compose(&contents("en")).lines().count(), 1);
    }

    #[test]
    fn a_payment_names_amount_and_payee_in_every_language() {
        let transaction = Transaction { amount: "EUR 12.90".to_owned(), payee: "{code} Café".to_owned() };
        for locale in LOCALES {
            let text = compose(&Contents { transaction: Some(&transaction), ..contents(locale) });
            assert!(text.contains("EUR 12.90") && text.contains("{code} Café"), "{locale}");
            assert_eq!(text.matches("048213").count(), 1, "{locale}");
        }
    }

    #[test]
    fn a_brand_cannot_forge_a_line_or_a_signature() {
        assert_eq!(brand("  Shop\n@evil.example #000000 "), "Shop@evil.example #000000");
        assert_eq!(brand("【银行】Shop"), "银行Shop");
        assert_eq!(brand("A\u{202E}B"), "AB");
        assert_eq!(brand(&"长".repeat(40)).chars().count(), LONGEST_BRAND);
    }
}
