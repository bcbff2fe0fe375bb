// An SMSC for tests, on the npm package `smpp`. Listens on a free port of 127.0.0.1.
//
//   node smsc.mjs [--system-id ID] [--password WORD] [--window N]
//
// Its first line on stdout is {"port":N}. After that it takes one JSON command a line on stdin and tells one JSON event
// a line on stdout; {event:"done"} says that a command is in force. What it has to deliver it keeps until the ESME takes
// it: what was unanswered when a link broke goes out again, in order, over the next one; a temporary error is tried
// again after 200 ms.
//
// commands  {cmd:"deliver", id, source, source_ton, source_npi, dest, text, encoding, split, reference}
//             encoding gsm7 | ia5 | latin1 | ucs2 | binary (text is hex); split udh8 | udh16 | sar | payload
//           {cmd:"flood", count, senders, dest, dests, text} → {event:"flooded", ms, count, refused}
//           {cmd:"receipt", message_id, state, style}       style text | tlv | both
//           {cmd:"auto_receipts", when, state, style}       when off | after | before (the submit_sm_resp)
//           {cmd:"answer", status, times}                   the next submit_sm are answered so
//           {cmd:"refuse_binds", status, times}
//           {cmd:"mute", on}                                submit_sm and enquire_link stay unanswered
//           {cmd:"mute_resp", on}                           deliver_sm_resp are not noticed, as if lost
//           {cmd:"cut"} · {cmd:"cut_after", submits|resps:N} · {cmd:"unbind"} · {cmd:"enquire"} · {cmd:"raw", hex} · {cmd:"quit"}
// events    bound, bind_refused, submit, deliver_sm_resp, delivered, refused, answer, enquire_link, unbind, closed, flooded

import smpp from 'smpp';
import readline from 'node:readline';

const argument = (name, otherwise) => {
  const at = process.argv.indexOf('--' + name);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const SYSTEM_ID = argument('system-id', 'bauta');
const PASSWORD = argument('password', 'secret');
const WINDOW = Number(argument('window', 32));
const TEMPORARY = new Set([0x08, 0x14, 0x58, 0x64]);
const DATA_CODING = { gsm7: 0, ia5: 1, latin1: 3, ucs2: 8, binary: 4 };

const state = {
  session: null,
  queue: [],
  flying: 0,
  nextMessage: 1,
  answers: { status: 0, times: 0 },
  bindRefusals: { status: 0, times: 0 },
  receipts: { when: 'off', state: 'DELIVRD', style: 'both' },
  muted: false,
  deaf: false,
  cut: { submits: Infinity, resps: Infinity },
};

const tell = (event) => process.stdout.write(JSON.stringify(event) + '\n');

function encoded(text, encoding) {
  if (encoding === 'gsm7') return smpp.encodings.ASCII.encode(text);
  if (encoding === 'ia5') return Buffer.from(text, 'ascii');
  if (encoding === 'latin1') return smpp.encodings.LATIN1.encode(text);
  if (encoding === 'binary') return Buffer.from(text, 'hex');
  return smpp.encodings.UCS2.encode(text);
}

function pieces(octets, length) {
  const parts = [];
  for (let at = 0; at < octets.length || at === 0; at += length) parts.push(octets.subarray(at, at + length));
  return parts;
}

// The PDUs of one message. Parts are cut at octets, also through a character, as some networks do.
function deliverSms(command) {
  const encoding = command.encoding ?? 'gsm7';
  const octets = encoded(command.text, encoding);
  const common = {
    source_addr: command.source,
    source_addr_ton: command.source_ton ?? 1,
    source_addr_npi: command.source_npi ?? 1,
    destination_addr: command.dest,
    dest_addr_ton: 1,
    dest_addr_npi: 1,
    data_coding: DATA_CODING[encoding],
    ...(command.tlvs ?? {}),
  };
  if (command.split === 'payload') return [{ ...common, message_payload: octets }];
  if (!command.split) return [{ ...common, short_message: octets }];
  const parts = pieces(octets, encoding === 'gsm7' ? 153 : 134);
  const reference = command.reference ?? 0x42;
  return parts.map((message, index) => {
    const place = [parts.length, index + 1];
    if (command.split === 'sar') {
      const [sar_total_segments, sar_segment_seqnum] = place;
      return { ...common, short_message: message, sar_msg_ref_num: reference, sar_total_segments, sar_segment_seqnum };
    }
    const wide = command.split === 'udh16';
    const udh = Buffer.from(wide ? [6, 8, 4, reference >> 8, reference & 255, ...place] : [5, 0, 3, reference & 255, ...place]);
    return { ...common, short_message: { udh, message } };
  });
}

function receipt({ message_id, state: word = 'DELIVRD', style = 'both', source = '', dest = '' }) {
  const codes = { ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8 };
  const text = `id:${message_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:${word} err:000 text:`;
  const tlvs = { receipted_message_id: message_id, message_state: codes[word] };
  return {
    source_addr: dest,
    source_addr_ton: 1,
    source_addr_npi: 1,
    destination_addr: source,
    esm_class: 4,
    data_coding: 0,
    short_message: Buffer.from(style === 'tlv' ? '' : text, 'ascii'),
    ...(style === 'text' ? {} : tlvs),
  };
}

function enqueue(id, pdus, settled) {
  pdus.forEach((options, part) => state.queue.push({ id, part, parts: pdus.length, options, flying: false, settled }));
  pump();
}

function pump() {
  const session = state.session;
  for (const item of state.queue) {
    if (!session || state.flying >= WINDOW) return;
    if (item.flying) continue;
    item.flying = true;
    state.flying += 1;
    session.deliver_sm({ ...item.options }, (pdu) => answered(session, item, pdu.command_status));
  }
}

function answered(session, item, status) {
  if (session !== state.session || state.deaf) return;
  if (!item.settled) tell({ event: 'deliver_sm_resp', id: item.id, part: item.part, status });
  state.flying -= 1;
  if (TEMPORARY.has(status)) {
    setTimeout(() => { item.flying = false; pump(); }, 200);
  } else {
    state.queue.splice(state.queue.indexOf(item), 1);
    if (item.settled) item.settled(status);
    else if (status) tell({ event: 'refused', id: item.id, part: item.part, status });
    else if (!state.queue.some((other) => other.id === item.id)) tell({ event: 'delivered', id: item.id });
  }
  if (--state.cut.resps <= 0) cut();
  pump();
}

function cut() {
  state.cut = { submits: Infinity, resps: Infinity };
  if (state.session) state.session.socket.destroy();
}

function bound(session) {
  state.session = session;
  state.flying = 0;
  for (const item of state.queue) item.flying = false;
  pump();
}

function bind(session, pdu) {
  const { system_id, password, system_type, interface_version: version } = pdu;
  let status = system_id === SYSTEM_ID && password === PASSWORD ? 0 : 0x0d;
  if (state.bindRefusals.times > 0) {
    state.bindRefusals.times -= 1;
    status = state.bindRefusals.status;
  }
  session.send(pdu.response({ command_status: status, system_id: 'smsc' }));
  tell({ event: status ? 'bind_refused' : 'bound', status, system_id, system_type, version });
  if (status) session.close();
  else bound(session);
}

function submitted(session, pdu) {
  const status = state.answers.times > 0 ? state.answers.status : 0;
  state.answers.times -= 1;
  const message_id = status ? undefined : 'm' + state.nextMessage++;
  const { source_addr: source, destination_addr: dest, data_coding, esm_class, registered_delivery } = pdu;
  const { udh, message: text } = pdu.short_message;
  tell({
    event: 'submit', message_id, status, source, source_ton: pdu.source_addr_ton, source_npi: pdu.source_addr_npi, dest,
    dest_ton: pdu.dest_addr_ton, data_coding, esm_class, registered_delivery, text,
    udh: udh ? udh.map((element) => element.toString('hex')) : null,
  });
  if (--state.cut.submits <= 0) return cut();
  if (state.muted) return;
  const { when, state: word, style } = state.receipts;
  const told = () => enqueue('receipt ' + message_id, [receipt({ message_id, state: word, style, source, dest })]);
  if (!status && when === 'before') told();
  session.send(pdu.response({ command_status: status, message_id }));
  if (!status && when === 'after') told();
}

const server = smpp.createServer((session) => {
  session.on('error', () => {});
  session.on('close', () => {
    if (session === state.session) state.session = null;
    tell({ event: 'closed' });
  });
  session.on('bind_transceiver', (pdu) => bind(session, pdu));
  session.on('submit_sm', (pdu) => submitted(session, pdu));
  session.on('enquire_link', (pdu) => {
    tell({ event: 'enquire_link' });
    if (!state.muted) session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    tell({ event: 'unbind' });
    session.send(pdu.response());
    session.close();
  });
  session.on('pdu', (pdu) => {
    const expected = pdu.command === 'deliver_sm_resp' && session._callbacks[pdu.sequence_number];
    if (pdu.isResponse() && !expected) {
      tell({ event: 'answer', command: pdu.command, status: pdu.command_status, sequence: pdu.sequence_number });
    }
  });
});

function flood({ count, senders = 50, dest, dests = 1, text = 'hello' }) {
  const began = process.hrtime.bigint();
  let left = count;
  let refused = 0;
  const settled = (status) => {
    refused += status ? 1 : 0;
    if (--left === 0) tell({ event: 'flooded', ms: Number(process.hrtime.bigint() - began) / 1e6, count, refused });
  };
  const number = (n) => String(447700900000n + BigInt(n % senders));
  for (let n = 0; n < count; n++) {
    const to = String(BigInt(dest) + BigInt(n % dests));
    const [options] = deliverSms({ source: number(n), dest: to, text: `${text} ${n}` });
    state.queue.push({ id: 'flood', part: 0, parts: 1, options, flying: false, settled });
  }
  pump();
}

const commands = {
  deliver: (command) => enqueue(command.id ?? 'message', deliverSms(command)),
  flood,
  receipt: (command) => enqueue(command.id ?? 'receipt ' + command.message_id, [receipt(command)]),
  auto_receipts: ({ cmd, ...rest }) => Object.assign(state.receipts, rest),
  answer: ({ status, times = 1 }) => { state.answers = { status, times }; },
  refuse_binds: ({ status, times = 1 }) => { state.bindRefusals = { status, times }; },
  mute: ({ on }) => { state.muted = on; },
  mute_resp: ({ on }) => { state.deaf = on; },
  cut,
  cut_after: ({ submits = Infinity, resps = Infinity }) => { state.cut = { submits, resps }; },
  unbind: () => state.session?.unbind(),
  enquire: () => state.session?.enquire_link(),
  raw: ({ hex }) => state.session?.socket.write(Buffer.from(hex, 'hex')),
  quit: () => process.exit(0),
};

server.listen(0, '127.0.0.1', () => tell({ port: server.address().port }));
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const command = JSON.parse(line);
  commands[command.cmd](command);
  tell({ event: 'done', cmd: command.cmd });
});
lines.on('close', () => process.exit(0));
