//! What the house itself says to people who wrote, in the language of the writer's country. Pure.
//!
//! Short, without a link, and never a word about anybody else: none of these texts tells who is behind a number, or
//! that somebody is. English, Spanish, German, Indonesian and French stay within the GSM 7-bit alphabet.

/// What is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// STOP was understood.
    Stopped,
    /// START was understood.
    Started,
    /// What this number is.
    Help,
    /// Nobody here takes messages from the writer: never was so, or not any more.
    NotConnected,
    /// Who it was for said STOP to this number.
    Declined,
    /// No text could be read.
    NoText,
    /// More than is carried in one message.
    TooLong,
    /// A shared number wants an extension first.
    Extension,
    /// An extension was reached, without a text.
    Connected,
    /// Several people could be meant; tags follow.
    Untagged,
    /// Nobody of this tag can be answered any more.
    Gone,
    /// The same, and these can; tags follow.
    GoneButThese,
    /// Nobody can be answered.
    NoSender,
    /// Nothing but a tag.
    Empty,
    /// Several members, and none is chosen.
    NoMember,
    /// A rule of the service on contents.
    Content,
}

/// The text for a writer whose number is of `country` (ISO 3166-1 alpha-2).
pub(super) fn text(say: Say, country: &str) -> &'static str {
    words(country).of(say)
}

fn words(country: &str) -> &'static Words {
    let language = LANGUAGES.iter().find(|(countries, _)| countries.contains(&country));
    language.map_or(&ENGLISH, |(_, words)| words)
}

struct Words {
    stopped: &'static str,
    started: &'static str,
    help: &'static str,
    not_connected: &'static str,
    declined: &'static str,
    no_text: &'static str,
    too_long: &'static str,
    extension: &'static str,
    connected: &'static str,
    untagged: &'static str,
    gone: &'static str,
    gone_but_these: &'static str,
    no_sender: &'static str,
    empty: &'static str,
    no_member: &'static str,
    content: &'static str,
}

impl Words {
    const fn of(&self, say: Say) -> &'static str {
        match say {
            Say::Stopped => self.stopped,
            Say::Started => self.started,
            Say::Help => self.help,
            Say::NotConnected => self.not_connected,
            Say::Declined => self.declined,
            Say::NoText => self.no_text,
            Say::TooLong => self.too_long,
            Say::Extension => self.extension,
            Say::Connected => self.connected,
            Say::Untagged => self.untagged,
            Say::Gone => self.gone,
            Say::GoneButThese => self.gone_but_these,
            Say::NoSender => self.no_sender,
            Say::Empty => self.empty,
            Say::NoMember => self.no_member,
            Say::Content => self.content,
        }
    }
}

const LANGUAGES: [(&[&str], Words); 11] = [
    (&["VN"], VIETNAMESE),
    (&["CN", "SG"], CHINESE),
    (&["TW", "HK", "MO"], CHINESE_TRADITIONAL),
    (
        &[
            "AR", "BO", "CL", "CO", "CR", "CU", "DO", "EC", "ES", "GT", "HN", "MX", "NI", "PA", "PE", "PY", "SV", "UY",
            "VE",
        ],
        SPANISH,
    ),
    (&["FR", "MC", "SN", "CI", "ML", "BF", "NE", "TG", "BJ", "GA", "CG", "CD", "RE", "GP", "MQ", "GF"], FRENCH),
    (&["DE", "AT", "LI"], GERMAN),
    (&["BR", "PT", "AO", "MZ", "CV"], PORTUGUESE),
    (&["ID"], INDONESIAN),
    (&["TH"], THAI),
    (&["JP"], JAPANESE),
    (&["KR"], KOREAN),
];

const ENGLISH: Words = Words {
    stopped: "You will get no more messages from this number. Reply START to allow them again.",
    started: "You can get messages from this number again. Reply STOP to end them.",
    help: "This number passes messages on without showing anybody's own number. STOP ends them. This word alone was not passed on.",
    not_connected: "Not delivered. This number takes no messages from you at the moment.",
    declined: "Not delivered. Messages from this number are no longer wanted there.",
    no_text: "Not delivered. Only text can be passed on.",
    too_long: "Not delivered. The message is too long: please send it in shorter pieces.",
    extension: "Not delivered. Begin with the extension that you were given, like 1234: hello",
    connected: "You are connected. Write your message.",
    untagged: "Not sent. Several people wrote to this number: begin your answer with one of",
    gone: "Not sent. That person can no longer be answered.",
    gone_but_these: "Not sent. That person can no longer be answered. You can answer",
    no_sender: "Not sent. Nobody who can be answered wrote to this number in the last 24 hours.",
    empty: "Not sent. There was no text to send.",
    no_member: "Not sent. It is not set whom your messages reach.",
    content: "Not delivered. The service does not pass on messages like this one.",
};

const VIETNAMESE: Words = Words {
    stopped: "Bạn sẽ không nhận tin nhắn từ số này nữa. Trả lời START để nhận lại.",
    started: "Bạn có thể nhận tin nhắn từ số này trở lại. Trả lời STOP để dừng.",
    help: "Số này chuyển tin nhắn mà không hiện số của ai. STOP để dừng. Từ này không được chuyển đi.",
    not_connected: "Chưa gửi được. Hiện số này không nhận tin nhắn từ bạn.",
    declined: "Chưa gửi được. Người nhận không muốn nhận tin từ số này nữa.",
    no_text: "Chưa gửi được. Chỉ chuyển được văn bản.",
    too_long: "Chưa gửi được. Tin nhắn quá dài, hãy chia thành các đoạn ngắn hơn.",
    extension: "Chưa gửi được. Hãy bắt đầu bằng số máy lẻ bạn được cho, ví dụ 1234: xin chào",
    connected: "Đã kết nối. Hãy viết tin nhắn của bạn.",
    untagged: "Chưa gửi. Có nhiều người nhắn đến số này: hãy bắt đầu câu trả lời bằng một trong",
    gone: "Chưa gửi. Không thể trả lời người đó nữa.",
    gone_but_these: "Chưa gửi. Không thể trả lời người đó nữa. Bạn có thể trả lời",
    no_sender: "Chưa gửi. Trong 24 giờ qua không có ai có thể trả lời nhắn đến số này.",
    empty: "Chưa gửi. Tin nhắn không có nội dung.",
    no_member: "Chưa gửi. Chưa chọn người nhận tin nhắn của bạn.",
    content: "Chưa gửi được. Dịch vụ không chuyển những tin như thế này.",
};

const CHINESE: Words = Words {
    stopped: "您将不再收到此号码的消息。回复START可恢复接收。",
    started: "您可以重新收到此号码的消息。回复STOP可停止。",
    help: "此号码代为转发消息，不显示任何人的号码。回复STOP可停止。本条内容未被转发。",
    not_connected: "未送达。此号码目前不接收您的消息。",
    declined: "未送达。对方已不再接收此号码的消息。",
    no_text: "未送达。只能转发文字。",
    too_long: "未送达。消息过长，请分成较短的几条发送。",
    extension: "未送达。请以您获得的分机号开头，例如 1234: 你好",
    connected: "已接通，请发送您的消息。",
    untagged: "未发送。有多人向此号码发来消息，请在回复前加上其中一个：",
    gone: "未发送。已无法回复该联系人。",
    gone_but_these: "未发送。已无法回复该联系人。您可以回复：",
    no_sender: "未发送。过去24小时内没有可回复的人向此号码发送消息。",
    empty: "未发送。没有可发送的文字。",
    no_member: "未发送。尚未指定您的消息发给谁。",
    content: "未送达。本服务不转发此类消息。",
};

const CHINESE_TRADITIONAL: Words = Words {
    stopped: "您將不再收到此號碼的訊息。回覆START可恢復接收。",
    started: "您可以重新收到此號碼的訊息。回覆STOP可停止。",
    help: "此號碼代為轉發訊息，不顯示任何人的號碼。回覆STOP可停止。本則內容未被轉發。",
    not_connected: "未送達。此號碼目前不接收您的訊息。",
    declined: "未送達。對方已不再接收此號碼的訊息。",
    no_text: "未送達。只能轉發文字。",
    too_long: "未送達。訊息過長，請分成較短的幾則傳送。",
    extension: "未送達。請以您獲得的分機號開頭，例如 1234: 你好",
    connected: "已接通，請傳送您的訊息。",
    untagged: "未傳送。有多人向此號碼傳來訊息，請在回覆前加上其中一個：",
    gone: "未傳送。已無法回覆該聯絡人。",
    gone_but_these: "未傳送。已無法回覆該聯絡人。您可以回覆：",
    no_sender: "未傳送。過去24小時內沒有可回覆的人向此號碼傳送訊息。",
    empty: "未傳送。沒有可傳送的文字。",
    no_member: "未傳送。尚未指定您的訊息傳給誰。",
    content: "未送達。本服務不轉發此類訊息。",
};

const SPANISH: Words = Words {
    stopped: "No recibirá más mensajes de este número. Responda START para volver a recibirlos.",
    started: "Puede recibir de nuevo mensajes de este número. Responda STOP para no recibirlos.",
    help: "Este número transmite mensajes sin mostrar el número de nadie. STOP los detiene. Esta palabra sola no se transmitió.",
    not_connected: "No entregado. Este número no admite mensajes suyos en este momento.",
    declined: "No entregado. Allí ya no se desean mensajes de este número.",
    no_text: "No entregado. Solo se puede transmitir texto.",
    too_long: "No entregado. El mensaje es demasiado largo: envíelo en partes más cortas.",
    extension: "No entregado. Empiece con la extensión que le dieron, como 1234: hola",
    connected: "Está conectado. Escriba su mensaje.",
    untagged: "No enviado. Varias personas escribieron a este número: empiece su respuesta con",
    gone: "No enviado. Ya no se puede responder a esa persona.",
    gone_but_these: "No enviado. Ya no se puede responder a esa persona. Puede responder a",
    no_sender: "No enviado. Nadie a quien se pueda responder escribió a este número en las últimas 24 horas.",
    empty: "No enviado. No había texto que enviar.",
    no_member: "No enviado. No se ha elegido a quién llegan sus mensajes.",
    content: "No entregado. El servicio no transmite mensajes como este.",
};

const FRENCH: Words = Words {
    stopped: "Vous ne recevrez plus de messages de ce numéro. Répondez START pour en recevoir à nouveau.",
    started: "Vous pouvez de nouveau recevoir des messages de ce numéro. Répondez STOP pour arreter.",
    help: "Ce numéro transmet des messages sans montrer le numéro de personne. STOP les arrete. Ce mot seul n'a pas été transmis.",
    not_connected: "Non remis. Ce numéro n'accepte pas de messages de votre part pour le moment.",
    declined: "Non remis. Les messages de ce numéro n'y sont plus souhaités.",
    no_text: "Non remis. Seul le texte peut etre transmis.",
    too_long: "Non remis. Le message est trop long : envoyez-le en plusieurs parties.",
    extension: "Non remis. Commencez par le numéro de poste qu'on vous a donné, par exemple 1234: bonjour",
    connected: "Vous etes en relation. Écrivez votre message.",
    untagged: "Non envoyé. Plusieurs personnes ont écrit à ce numéro : commencez votre réponse par",
    gone: "Non envoyé. Il n'est plus possible de répondre à cette personne.",
    gone_but_these: "Non envoyé. Il n'est plus possible de répondre à cette personne. Vous pouvez répondre à",
    no_sender: "Non envoyé. Personne à qui répondre n'a écrit à ce numéro depuis 24 heures.",
    empty: "Non envoyé. Il n'y avait pas de texte à envoyer.",
    no_member: "Non envoyé. Le destinataire de vos messages n'est pas choisi.",
    content: "Non remis. Le service ne transmet pas les messages de ce genre.",
};

const GERMAN: Words = Words {
    stopped: "Sie erhalten keine Nachrichten mehr von dieser Nummer. Mit START wieder zulassen.",
    started: "Sie können wieder Nachrichten von dieser Nummer erhalten. Mit STOP beenden.",
    help: "Diese Nummer leitet Nachrichten weiter, ohne eigene Nummern zu zeigen. STOP beendet sie. Dieses Wort allein wurde nicht weitergeleitet.",
    not_connected: "Nicht zugestellt. Diese Nummer nimmt zurzeit keine Nachrichten von Ihnen an.",
    declined: "Nicht zugestellt. Nachrichten von dieser Nummer sind dort nicht mehr erwünscht.",
    no_text: "Nicht zugestellt. Nur Text kann weitergeleitet werden.",
    too_long: "Nicht zugestellt. Die Nachricht ist zu lang: bitte in kürzeren Teilen senden.",
    extension: "Nicht zugestellt. Beginnen Sie mit der Durchwahl, die Sie erhalten haben, etwa 1234: Hallo",
    connected: "Sie sind verbunden. Schreiben Sie Ihre Nachricht.",
    untagged: "Nicht gesendet. Mehrere haben an diese Nummer geschrieben: beginnen Sie die Antwort mit",
    gone: "Nicht gesendet. Dieser Person kann nicht mehr geantwortet werden.",
    gone_but_these: "Nicht gesendet. Dieser Person kann nicht mehr geantwortet werden. Möglich sind",
    no_sender: "Nicht gesendet. In den letzten 24 Stunden hat niemand geschrieben, dem man antworten kann.",
    empty: "Nicht gesendet. Es gab keinen Text.",
    no_member: "Nicht gesendet. Es ist nicht festgelegt, wen Ihre Nachrichten erreichen.",
    content: "Nicht zugestellt. Solche Nachrichten leitet der Dienst nicht weiter.",
};

const PORTUGUESE: Words = Words {
    stopped: "Não receberá mais mensagens deste número. Responda START para voltar a receber.",
    started: "Pode voltar a receber mensagens deste número. Responda STOP para parar.",
    help: "Este número transmite mensagens sem mostrar o número de ninguém. STOP encerra. Esta palavra sozinha não foi transmitida.",
    not_connected: "Não entregue. Este número não aceita mensagens suas no momento.",
    declined: "Não entregue. Mensagens deste número já não são desejadas lá.",
    no_text: "Não entregue. Só é possível transmitir texto.",
    too_long: "Não entregue. A mensagem é longa demais: envie em partes menores.",
    extension: "Não entregue. Comece com o ramal que recebeu, como 1234: olá",
    connected: "Está conectado. Escreva a sua mensagem.",
    untagged: "Não enviado. Várias pessoas escreveram para este número: comece a resposta com",
    gone: "Não enviado. Já não é possível responder a essa pessoa.",
    gone_but_these: "Não enviado. Já não é possível responder a essa pessoa. Pode responder a",
    no_sender: "Não enviado. Ninguém a quem se possa responder escreveu para este número nas últimas 24 horas.",
    empty: "Não enviado. Não havia texto.",
    no_member: "Não enviado. Não está definido quem recebe as suas mensagens.",
    content: "Não entregue. O serviço não transmite mensagens como esta.",
};

const INDONESIAN: Words = Words {
    stopped: "Anda tidak akan menerima pesan lagi dari nomor ini. Balas START untuk menerima lagi.",
    started: "Anda dapat menerima pesan lagi dari nomor ini. Balas STOP untuk berhenti.",
    help: "Nomor ini meneruskan pesan tanpa menampilkan nomor siapa pun. STOP untuk berhenti. Kata ini tidak diteruskan.",
    not_connected: "Tidak terkirim. Nomor ini saat ini tidak menerima pesan dari Anda.",
    declined: "Tidak terkirim. Pesan dari nomor ini tidak diinginkan lagi di sana.",
    no_text: "Tidak terkirim. Hanya teks yang dapat diteruskan.",
    too_long: "Tidak terkirim. Pesan terlalu panjang: kirim dalam bagian yang lebih pendek.",
    extension: "Tidak terkirim. Mulailah dengan ekstensi yang Anda terima, misalnya 1234: halo",
    connected: "Anda terhubung. Tulis pesan Anda.",
    untagged: "Tidak terkirim. Beberapa orang menulis ke nomor ini: mulailah jawaban dengan",
    gone: "Tidak terkirim. Orang itu tidak dapat dijawab lagi.",
    gone_but_these: "Tidak terkirim. Orang itu tidak dapat dijawab lagi. Anda dapat menjawab",
    no_sender: "Tidak terkirim. Dalam 24 jam terakhir tidak ada yang dapat dijawab menulis ke nomor ini.",
    empty: "Tidak terkirim. Tidak ada teks.",
    no_member: "Tidak terkirim. Belum dipilih siapa yang menerima pesan Anda.",
    content: "Tidak terkirim. Layanan ini tidak meneruskan pesan seperti ini.",
};

const THAI: Words = Words {
    stopped: "คุณจะไม่ได้รับข้อความจากหมายเลขนี้อีก ตอบ START เพื่อรับอีกครั้ง",
    started: "คุณรับข้อความจากหมายเลขนี้ได้อีกครั้ง ตอบ STOP เพื่อหยุด",
    help: "หมายเลขนี้ส่งต่อข้อความโดยไม่แสดงหมายเลขของใคร ตอบ STOP เพื่อหยุด คำนี้ไม่ได้ถูกส่งต่อ",
    not_connected: "ส่งไม่ได้ ขณะนี้หมายเลขนี้ไม่รับข้อความจากคุณ",
    declined: "ส่งไม่ได้ ปลายทางไม่ต้องการรับข้อความจากหมายเลขนี้แล้ว",
    no_text: "ส่งไม่ได้ ส่งต่อได้เฉพาะข้อความตัวอักษร",
    too_long: "ส่งไม่ได้ ข้อความยาวเกินไป โปรดแบ่งส่งเป็นส่วนสั้นๆ",
    extension: "ส่งไม่ได้ เริ่มด้วยหมายเลขต่อที่คุณได้รับ เช่น 1234: สวัสดี",
    connected: "เชื่อมต่อแล้ว เขียนข้อความของคุณได้เลย",
    untagged: "ยังไม่ได้ส่ง มีหลายคนเขียนมาที่หมายเลขนี้ เริ่มคำตอบด้วย",
    gone: "ยังไม่ได้ส่ง ตอบคนนั้นไม่ได้แล้ว",
    gone_but_these: "ยังไม่ได้ส่ง ตอบคนนั้นไม่ได้แล้ว คุณตอบได้เฉพาะ",
    no_sender: "ยังไม่ได้ส่ง ใน 24 ชั่วโมงที่ผ่านมาไม่มีผู้ที่ตอบได้เขียนมา",
    empty: "ยังไม่ได้ส่ง ไม่มีข้อความ",
    no_member: "ยังไม่ได้ส่ง ยังไม่ได้เลือกว่าข้อความของคุณจะถึงใคร",
    content: "ส่งไม่ได้ บริการนี้ไม่ส่งต่อข้อความแบบนี้",
};

const JAPANESE: Words = Words {
    stopped: "この番号からのメッセージを停止しました。再開するにはSTARTと返信してください。",
    started: "この番号からのメッセージを再開しました。停止するにはSTOPと返信してください。",
    help: "この番号は誰の番号も表示せずにメッセージを転送します。停止はSTOP。この語は転送されていません。",
    not_connected: "配信されませんでした。この番号は現在あなたからのメッセージを受け付けていません。",
    declined: "配信されませんでした。相手はこの番号からのメッセージを受け取りません。",
    no_text: "配信されませんでした。転送できるのは文字だけです。",
    too_long: "配信されませんでした。長すぎます。短く分けて送ってください。",
    extension: "配信されませんでした。内線番号から始めてください。例 1234: こんにちは",
    connected: "つながりました。メッセージを書いてください。",
    untagged: "送信していません。複数の人から届いています。返信の先頭に次のいずれかを付けてください",
    gone: "送信していません。その人にはもう返信できません。",
    gone_but_these: "送信していません。その人にはもう返信できません。返信できる相手",
    no_sender: "送信していません。過去24時間に返信できる人からの連絡はありません。",
    empty: "送信していません。本文がありません。",
    no_member: "送信していません。宛先が決まっていません。",
    content: "配信されませんでした。このようなメッセージは転送できません。",
};

const KOREAN: Words = Words {
    stopped: "이 번호의 메시지를 더 이상 받지 않습니다. 다시 받으려면 START로 답장하세요.",
    started: "이 번호의 메시지를 다시 받을 수 있습니다. 중단하려면 STOP으로 답장하세요.",
    help: "이 번호는 누구의 번호도 보이지 않게 메시지를 전달합니다. STOP은 중단. 이 단어는 전달되지 않았습니다.",
    not_connected: "전달되지 않았습니다. 이 번호는 현재 회원님의 메시지를 받지 않습니다.",
    declined: "전달되지 않았습니다. 상대방이 이 번호의 메시지를 더 이상 받지 않습니다.",
    no_text: "전달되지 않았습니다. 글자만 전달할 수 있습니다.",
    too_long: "전달되지 않았습니다. 너무 깁니다. 짧게 나누어 보내세요.",
    extension: "전달되지 않았습니다. 받으신 내선번호로 시작하세요. 예 1234: 안녕하세요",
    connected: "연결되었습니다. 메시지를 쓰세요.",
    untagged: "보내지 않았습니다. 여러 사람이 이 번호로 보냈습니다. 답장 앞에 다음 중 하나를 쓰세요",
    gone: "보내지 않았습니다. 그 사람에게는 더 이상 답장할 수 없습니다.",
    gone_but_these: "보내지 않았습니다. 그 사람에게는 더 이상 답장할 수 없습니다. 답장할 수 있는 상대",
    no_sender: "보내지 않았습니다. 지난 24시간 동안 답장할 수 있는 사람이 보낸 메시지가 없습니다.",
    empty: "보내지 않았습니다. 내용이 없습니다.",
    no_member: "보내지 않았습니다. 메시지를 받을 사람이 정해지지 않았습니다.",
    content: "전달되지 않았습니다. 이런 메시지는 전달하지 않습니다.",
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::{Alphabet, segments};
    use crate::phone;

    const ALL: [Say; 16] = [
        Say::Stopped,
        Say::Started,
        Say::Help,
        Say::NotConnected,
        Say::Declined,
        Say::NoText,
        Say::TooLong,
        Say::Extension,
        Say::Connected,
        Say::Untagged,
        Say::Gone,
        Say::GoneButThese,
        Say::NoSender,
        Say::Empty,
        Say::NoMember,
        Say::Content,
    ];

    #[test]
    fn a_writer_is_told_in_the_language_of_the_country() {
        assert!(text(Say::Stopped, "GB").starts_with("You will"));
        assert!(text(Say::Stopped, "VN").starts_with("Bạn sẽ"));
        assert!(text(Say::Stopped, "MX").starts_with("No recibir"));
        assert!(text(Say::Stopped, "ZZ").starts_with("You will"));
    }

    #[test]
    fn every_phrase_fits_two_parts_and_holds_no_number() {
        let every = LANGUAGES.iter().map(|(_, words)| words).chain([&ENGLISH]);
        for (words, say) in every.flat_map(|words| ALL.map(|say| (words, say))) {
            let phrase = words.of(say);
            let parts = segments(phrase, Alphabet::Gsm7, 0).unwrap();
            assert!(parts.len() <= 2, "{phrase}");
            assert!(!phone::contains_number(phrase), "{phrase}");
        }
    }

    #[test]
    fn languages_of_the_gsm_alphabet_cost_one_part() {
        for say in ALL {
            let parts = segments(ENGLISH.of(say), Alphabet::Gsm7, 0).unwrap();
            assert_eq!((parts.len(), parts.first().map(|part| part.alphabet)), (1, Some(Alphabet::Gsm7)), "{say:?}");
        }
    }
}
