//! Words that people send to be left alone, to be reached again, or to learn what a number is. Pure.
//!
//! A word counts only if it is the whole message: white space, quotes and a closing mark around it are taken off, case
//! does not matter, and the same word written with combining marks is the same word. A word that is an everyday word
//! or an abbreviation of another language counts only from numbers of the countries where carriers ask for it: `TC` is
//! a refusal in Viet Nam and a greeting elsewhere.

/// What a person asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    /// No more messages from this number.
    Stop,
    /// Messages again.
    Start,
    /// What is this?
    Help,
}

/// The keyword that `text` is, coming from a number of `country` (ISO 3166-1 alpha-2), asked for only if it matters.
pub(super) fn find(text: &str, country: impl FnOnce() -> String) -> Option<Keyword> {
    let word = folded(text)?;
    let mut all = LISTS.iter().flat_map(|(words, keyword)| words.iter().map(move |known| (known, *keyword)));
    let (known, keyword) = all.find(|(known, _)| known.0 == word)?;
    (known.1.is_empty() || known.1.contains(&country().as_str())).then_some(keyword)
}

/// A word, and where it counts; nowhere named is everywhere.
struct Word(&'static str, &'static [&'static str]);

/// The bare word in lower case, if the message is no longer than the longest word can be.
fn folded(text: &str) -> Option<String> {
    let bare = text.trim_matches(|c: char| c.is_whitespace() || is_wrapping(c));
    if bare.is_empty() || bare.chars().nth(LONGEST).is_some() {
        return None;
    }
    let mut word = String::with_capacity(bare.len());
    for c in bare.chars().flat_map(fullwidth).flat_map(char::to_lowercase) {
        match (c, word.pop()) {
            (mark, Some(letter)) if is_mark(mark) => match composed(letter, mark) {
                Some(whole) => word.push(whole),
                None => word.extend([letter, mark]),
            },
            (c, last) => {
                word.extend(last);
                word.extend([if c.is_whitespace() { ' ' } else { c }]);
            }
        }
    }
    Some(word)
}

/// What phones put around a word by themselves, and what people close it with.
const fn is_wrapping(c: char) -> bool {
    matches!(
        c,
        '"' | '\''
            | '“'
            | '”'
            | '„'
            | '‘'
            | '’'
            | '«'
            | '»'
            | '「'
            | '」'
            | '.'
            | '!'
            | '。'
            | '！'
            | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
    )
}

const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Full-width Latin letters, as East Asian keyboards offer them, are the same letters.
fn fullwidth(c: char) -> Option<char> {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        c => Some(c),
    }
}

/// A letter and a mark as the one character that the lists below are written with.
fn composed(letter: char, mark: char) -> Option<char> {
    let pairs = [
        ('e', '\u{301}', 'é'),
        ('e', '\u{302}', 'ê'),
        ('o', '\u{301}', 'ó'),
        ('o', '\u{302}', 'ô'),
        ('a', '\u{301}', 'á'),
        ('a', '\u{308}', 'ä'),
        ('i', '\u{301}', 'í'),
        ('i', '\u{307}', 'i'),
        ('u', '\u{309}', 'ủ'),
        ('y', '\u{309}', 'ỷ'),
        ('u', '\u{31b}', 'ư'),
        ('ư', '\u{300}', 'ừ'),
        ('ô', '\u{301}', 'ố'),
        ('o', '\u{309}', 'ỏ'),
        ('a', '\u{306}', 'ă'),
        ('ă', '\u{301}', 'ắ'),
        ('â', '\u{300}', 'ầ'),
        ('a', '\u{302}', 'â'),
        ('a', '\u{323}', 'ạ'),
        ('e', '\u{328}', 'ę'),
    ];
    pairs.into_iter().find(|(base, with, _)| (*base, *with) == (letter, mark)).map(|(.., whole)| whole)
}

const LONGEST: usize = 24;

const LISTS: [(&[Word], Keyword); 3] = [(STOP, Keyword::Stop), (START, Keyword::Start), (HELP, Keyword::Help)];

const STOP: &[Word] = &[
    Word("stop", &[]),
    Word("stopall", &[]),
    Word("stop all", &[]),
    Word("unsubscribe", &[]),
    Word("cancel", &[]),
    Word("end", &[]),
    Word("quit", &[]),
    Word("revoke", &[]),
    Word("optout", &[]),
    Word("opt out", &[]),
    Word("opt-out", &[]),
    Word("arret", &[]),
    Word("arrêt", &[]),
    Word("desabonner", &["FR", "BE", "CH", "CA", "LU"]),
    Word("désabonner", &[]),
    Word("stopp", &[]),
    Word("abmelden", &[]),
    Word("abbestellen", &[]),
    Word("afmelden", &[]),
    Word("uitschrijven", &[]),
    Word("avsluta", &["SE", "FI"]),
    Word("afmeld", &[]),
    Word("avmeld", &[]),
    Word("lopeta", &["FI"]),
    Word("peru", &["FI"]),
    Word("baja", &SPANISH),
    Word("alto", &["MX", "US", "PR"]),
    Word("parar", &SPANISH_PORTUGUESE),
    Word("cancelar", &[]),
    Word("pare", &PORTUGUESE),
    Word("sair", &PORTUGUESE),
    Word("descadastrar", &[]),
    Word("annulla", &["IT", "CH", "SM"]),
    Word("disiscrivi", &[]),
    Word("rezygnuje", &["PL"]),
    Word("rezygnuję", &[]),
    Word("odhlasit", &["CZ", "SK"]),
    Word("odhlásit", &[]),
    Word("dezabonare", &[]),
    Word("leiratkozás", &[]),
    Word("iptal", &["TR", "CY"]),
    Word("ret", &["TR", "CY"]),
    Word("стоп", &[]),
    Word("отписаться", &[]),
    Word("отписка", &[]),
    Word("відписатися", &[]),
    Word("διακοπη", &["GR", "CY"]),
    Word("διακοπή", &[]),
    Word("הסר", &[]),
    Word("הסירו", &[]),
    Word("退订", &[]),
    Word("退訂", &[]),
    Word("取消订阅", &[]),
    Word("取消訂閱", &[]),
    Word("td", &["CN"]),
    Word("t", &["CN"]),
    Word("n", &["CN"]),
    Word("配信停止", &[]),
    Word("停止", &["JP", "CN", "TW", "HK"]),
    Word("解除", &["JP"]),
    Word("수신거부", &[]),
    Word("중지", &["KR"]),
    Word("huỷ", &[]),
    Word("hủy", &[]),
    Word("huy", &["VN"]),
    Word("tc", &["VN"]),
    Word("từ chối", &["VN"]),
    Word("tu choi", &["VN"]),
    Word("berhenti", &["ID", "MY", "BN"]),
    Word("batal", &["ID", "MY", "BN"]),
    Word("tigil", &["PH"]),
    Word("ยกเลิก", &[]),
    Word("หยุด", &["TH"]),
    Word("إيقاف", &[]),
    Word("ايقاف", &[]),
    Word("إلغاء", &[]),
    Word("الغاء", &[]),
    Word("बंद", &["IN", "NP"]),
    Word("बंद करें", &[]),
];

const START: &[Word] = &[
    Word("start", &[]),
    Word("unstop", &[]),
    Word("alta", &SPANISH),
    Word("iniciar", &SPANISH_PORTUGUESE),
    Word("voltar", &PORTUGUESE),
    Word("старт", &[]),
    Word("恢复", &["CN"]),
    Word("開始", &["JP", "TW", "HK"]),
    Word("开始", &["CN"]),
    Word("再開", &["JP"]),
    Word("수신동의", &[]),
    Word("bắt đầu", &["VN"]),
    Word("mulai", &["ID"]),
    Word("เริ่ม", &["TH"]),
    Word("ابدأ", &[]),
];

const HELP: &[Word] = &[
    Word("help", &[]),
    Word("info", &[]),
    Word("aide", &[]),
    Word("帮助", &[]),
    Word("幫助", &[]),
    Word("ヘルプ", &[]),
    Word("도움말", &[]),
    Word("ayuda", &[]),
    Word("ajuda", &[]),
    Word("hilfe", &[]),
    Word("aiuto", &[]),
    Word("hulp", &["NL", "BE"]),
    Word("hjälp", &[]),
    Word("hjelp", &[]),
    Word("hjælp", &[]),
    Word("pomoc", &[]),
    Word("помощь", &[]),
    Word("yardım", &["TR", "CY"]),
    Word("yardim", &["TR", "CY"]),
    Word("bantuan", &[]),
    Word("trợ giúp", &[]),
    Word("tro giup", &["VN"]),
    Word("ช่วยเหลือ", &[]),
    Word("مساعدة", &[]),
    Word("मदद", &[]),
];

const SPANISH: [&str; 21] = [
    "AR", "BO", "CL", "CO", "CR", "CU", "DO", "EC", "ES", "GT", "HN", "MX", "NI", "PA", "PE", "PR", "PY", "SV", "US",
    "UY", "VE",
];
const PORTUGUESE: [&str; 5] = ["BR", "PT", "AO", "MZ", "CV"];
const SPANISH_PORTUGUESE: [&str; 26] = [
    "AR", "BO", "CL", "CO", "CR", "CU", "DO", "EC", "ES", "GT", "HN", "MX", "NI", "PA", "PE", "PR", "PY", "SV", "US",
    "UY", "VE", "BR", "PT", "AO", "MZ", "CV",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, country: &str) -> Option<Keyword> {
        super::find(text, || country.to_owned())
    }

    #[test]
    fn the_words_that_every_network_knows_stop_everywhere() {
        for word in ["STOP", "StopAll", "unsubscribe", "CANCEL", "End", "quit", "REVOKE", "OptOut"] {
            assert_eq!(find(word, "GB"), Some(Keyword::Stop), "{word}");
        }
        for word in ["ARRET", "退订", "HUỶ", "HỦY", "stopp"] {
            assert_eq!(find(word, "ZZ"), Some(Keyword::Stop), "{word}");
        }
    }

    #[test]
    fn only_the_whole_message_counts() {
        for text in ["stop it", "please stop", "STOP STOP", "stopped", "", "  ", "endless", "the end", "?"] {
            assert_eq!(find(text, "GB"), None, "{text}");
        }
        for text in [" stop\n", "\"Stop\"", "STOP.", "«стоп»", "\u{200e}STOP\u{200f}", "ＳＴＯＰ", "“STOP”!"]
        {
            assert_eq!(find(text, "GB"), Some(Keyword::Stop), "{text}");
        }
    }

    #[test]
    fn an_everyday_word_elsewhere_counts_only_at_home() {
        for (word, home, abroad) in
            [("TC", "VN", "GB"), ("T", "CN", "US"), ("Huy", "VN", "DE"), ("pare", "BR", "PH"), ("ret", "TR", "DK")]
        {
            assert_eq!(find(word, home), Some(Keyword::Stop), "{word}");
            assert_eq!(find(word, abroad), None, "{word}");
        }
    }

    #[test]
    fn combining_marks_spell_the_same_word() {
        assert_eq!(find("Hu\u{309}y", "VN"), Some(Keyword::Stop));
        assert_eq!(find("huy\u{309}", "VN"), Some(Keyword::Stop));
        assert_eq!(find("arre\u{302}t", "FR"), Some(Keyword::Stop));
        assert_eq!(find("tu\u{31b}\u{300} cho\u{302}\u{301}i", "VN"), Some(Keyword::Stop));
    }

    #[test]
    fn start_and_help_are_told_from_stop() {
        for word in ["START", "unstop"] {
            assert_eq!(find(word, "GB"), Some(Keyword::Start), "{word}");
        }
        for word in ["HELP", "info", "Aide", "帮助"] {
            assert_eq!(find(word, "GB"), Some(Keyword::Help), "{word}");
        }
    }

    #[test]
    fn every_listed_word_is_reached_by_its_own_spelling() {
        for (words, keyword) in LISTS {
            for Word(word, countries) in words {
                let country = countries.first().copied().unwrap_or("ZZ");
                assert_eq!(find(&word.to_uppercase(), country), Some(keyword), "{word}");
                assert_eq!(find(word, country), Some(keyword), "{word}");
            }
        }
    }
}
