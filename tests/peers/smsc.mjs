// An SMSC for tests, on the npm package `smpp`. Listens on a free port of 127.0.0.1.
//
//   node smsc.mjs [--system-id ID] [--password WORD] [--window N] [--tls-key FILE --tls-cert FILE]
//
// Its first line on stdout is {"port":N}. After that it takes one JSON command a line on stdin and tells one JSON event
// a line on stdout; {event:"done"} says that a command is in force. What it has to deliver it keeps until the ESME takes
// it: what was unanswered when a link broke goes out again, in order, over the next one; a temporary error is tried
// again after 200 ms. Several links may be bound at once; what it delivers goes over them in turn.
//
// commands  {cmd:"deliver", id, source, source_ton, source_npi, dest, text, encoding, split, reference}
//             encoding gsm7 | ia5 | latin1 | ucs2 | binary (text is hex); split udh8 | udh16 | sar | payload;
//             command data_sm sends it so; data_coding in place of the encoding's own; tlvs, esm_class
//           {cmd:"flood", count, senders, dest, dests, text} → {event:"flooded", ms, count, refused}
//           {cmd:"receipt", message_id, state, style, err, source, dest}    style text | tlv | both
//           {cmd:"auto_receipts", when, state, style, err}  when off | after | before (the submit_sm_resp)
//           {cmd:"ids", first, answer, text, tlv, pad}      ids are numbers, spelled dec | hex | HEX in each place
//           {cmd:"answer", status, times, nack}             the next submits are answered so, by generic_nack if asked
//           {cmd:"congestion", hundredths}                  goes along with every submit_sm_resp
//           {cmd:"capacity", per_s}                         beyond it submits are throttled; 0 for no end
//           {cmd:"refuse_binds", status, times}
//           {cmd:"mute", on}                                submits and enquire_link stay unanswered
//           {cmd:"mute_resp", on}                           deliver_sm_resp are not noticed, as if lost
//           {cmd:"cut"} · {cmd:"cut_after", submits|resps:N} · {cmd:"unbind"} · {cmd:"enquire"} · {cmd:"raw", hex}
//           {cmd:"cut_at", what, times}                     what connect | bind | unbind: cut instead of answering
//           {cmd:"cut_in", hex}                             half of a PDU, then the end
//           {cmd:"outbind", port, system_id, password}     connects there and asks to be bound to
//           {cmd:"quit"}
// events    bound, bind_refused, submit, deliver_sm_resp, delivered, refused, answer, enquire_link, unbind, closed, flooded

import fs from 'node:fs';
import readline from 'node:readline';
import smpp from 'smpp';

const argument = (name, otherwise) => {
  const at = process.argv.indexOf('--' + name);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const SYSTEM_ID = argument('system-id', 'bauta');
const PASSWORD = argument('password', 'secret');
const WINDOW = Number(argument('window', 32));
const TEMPORARY = new Set([0x08, 0x14, 0x58, 0x64]);
const THROTTLED = 0x58;
const DATA_CODING = { gsm7: 0, ia5: 1, latin1: 3, ucs2: 8, binary: 4 };

// What operators in India number for DLT.
smpp.addTLV('entity_id', { id: 0x1400, type: smpp.types.tlv.string });
smpp.addTLV('template_id', { id: 0x1401, type: smpp.types.tlv.string });

const state = {
  sessions: [],
  next: 0,
  queue: [],
  nextMessage: 1,
  ids: null,
  answers: { status: 0, times: 0 },
  bindRefusals: { status: 0, times: 0 },
  receipts: { when: 'off', state: 'DELIVRD', style: 'both', err: '000' },
  congestion: undefined,
  capacity: { per_s: 0, second: 0, taken: 0 },
  muted: false,
  deaf: false,
  cut: { submits: Infinity, resps: Infinity },
  cutAt: {},
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
    data_coding: command.data_coding ?? DATA_CODING[encoding],
    ...(command.esm_class === undefined ? {} : { esm_class: command.esm_class }),
    ...(command.tlvs ?? {}),
  };
  const inPayload = command.command === 'data_sm' || command.split === 'payload';
  const whole = (message) => (inPayload ? { message_payload: message } : { short_message: message });
  if (!command.split || command.split === 'payload') return [{ ...common, ...whole(octets) }];
  const parts = pieces(octets, encoding === 'gsm7' ? 153 : 134);
  const reference = command.reference ?? 0x42;
  return parts.map((message, index) => {
    const place = [parts.length, index + 1];
    if (command.split === 'sar') {
      const [sar_total_segments, sar_segment_seqnum] = place;
      return { ...common, ...whole(message), sar_msg_ref_num: reference, sar_total_segments, sar_segment_seqnum };
    }
    const wide = command.split === 'udh16';
    const udh = Buffer.from(wide ? [6, 8, 4, reference >> 8, reference & 255, ...place] : [5, 0, 3, reference & 255, ...place]);
    return { ...common, ...whole({ udh, message }) };
  });
}

// How an id is spelled in an answer, or in a receipt's text or TLV.
function spelled(message_id, where) {
  if (!state.ids) return message_id;
  const number = BigInt(message_id);
  const custom = state.ids[where] ?? 'dec';
  const text = custom === 'dec' ? number.toString() : number.toString(16);
  return (custom === 'HEX' ? text.toUpperCase() : text).padStart(where === 'answer' ? 0 : state.ids.pad ?? 0, '0');
}

function receipt({ message_id, state: word = 'DELIVRD', style = 'both', err = '000', source = '', dest = '' }) {
  const codes = { ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8 };
  const id = spelled(message_id, 'text');
  const text = `id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:${word} err:${err} text:`;
  const tlvs = { receipted_message_id: spelled(message_id, 'tlv'), message_state: codes[word] };
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

function enqueue(id, pdus, settled, command = 'deliver_sm') {
  pdus.forEach((options, part) => {
    state.queue.push({ id, part, parts: pdus.length, options, command, session: null, settled });
  });
  pump();
}

const receives = (session) => session.mode !== 'transmitter' && session.flying < WINDOW;

function pump() {
  for (const item of state.queue) {
    const free = state.sessions.filter(receives);
    if (!free.length) return;
    if (item.session) continue;
    const session = free[state.next++ % free.length];
    item.session = session;
    session.flying += 1;
    session[item.command]({ ...item.options }, (pdu) => answered(session, item, pdu.command_status));
  }
}

function answered(session, item, status) {
  if (item.session !== session || !state.sessions.includes(session) || state.deaf) return;
  if (!item.settled) {
    tell({ event: 'deliver_sm_resp', id: item.id, part: item.part, status, command: item.command, mode: session.mode });
  }
  session.flying -= 1;
  if (TEMPORARY.has(status)) {
    setTimeout(() => { item.session = null; pump(); }, 200);
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
  for (const session of state.sessions) session.socket.destroy();
}

// Whether this is where a link is to be cut.
function cutsAt(session, what) {
  if (!(state.cutAt[what] > 0)) return false;
  state.cutAt[what] -= 1;
  session.socket.destroy();
  return true;
}

function gone(session) {
  state.sessions = state.sessions.filter((other) => other !== session);
  for (const item of state.queue) if (item.session === session) item.session = null;
  tell({ event: 'closed', mode: session.mode });
  pump();
}

function bind(session, pdu, mode) {
  if (cutsAt(session, 'bind')) return;
  const { system_id, password, system_type, interface_version: version, address_range } = pdu;
  let status = system_id === SYSTEM_ID && password === PASSWORD ? 0 : 0x0d;
  if (state.bindRefusals.times > 0) {
    state.bindRefusals.times -= 1;
    status = state.bindRefusals.status;
  }
  session.send(pdu.response({ command_status: status, system_id: 'smsc' }));
  tell({ event: status ? 'bind_refused' : 'bound', status, system_id, system_type, version, mode, address_range });
  if (status) return session.close();
  Object.assign(session, { mode, flying: 0 });
  state.sessions.push(session);
  pump();
}

// Whether a submit is beyond what this SMSC takes in a second.
function isTooMany() {
  const { per_s, second } = state.capacity;
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) Object.assign(state.capacity, { second: now, taken: 0 });
  return per_s > 0 && ++state.capacity.taken > per_s;
}

function answerStatus() {
  const { status, nack } = state.answers.times > 0 ? state.answers : { status: isTooMany() ? THROTTLED : 0 };
  state.answers.times -= 1;
  return { status, nack };
}

// The text of a submit, wherever it is, and its header.
function content(pdu) {
  const short = pdu.short_message;
  if (short?.message?.length || short?.udh) return short;
  const long = pdu.message_payload;
  return (Buffer.isBuffer(long) ? { message: long.toString('latin1') } : long) ?? short ?? { message: '' };
}

function submitted(session, pdu) {
  const { status, nack } = answerStatus();
  const number = state.ids ? String(state.nextMessage++) : 'm' + state.nextMessage++;
  const message_id = status ? undefined : spelled(number, 'answer');
  const { source_addr: source, destination_addr: dest, data_coding, esm_class, registered_delivery } = pdu;
  const { udh, message: text } = content(pdu);
  const { sar_msg_ref_num, sar_total_segments, sar_segment_seqnum } = pdu;
  const relative = pdu.validity_period instanceof Date ? Math.round((pdu.validity_period - new Date()) / 1000) : null;
  tell({
    event: 'submit', command: pdu.command, mode: session.mode, message_id, number, status, source,
    source_ton: pdu.source_addr_ton, source_npi: pdu.source_addr_npi, dest, dest_ton: pdu.dest_addr_ton,
    dest_npi: pdu.dest_addr_npi, data_coding, esm_class, registered_delivery, text, service_type: pdu.service_type,
    validity_s: relative ?? pdu.qos_time_to_live ?? null, payload: pdu.message_payload !== undefined,
    registration: [pdu.entity_id, pdu.template_id].map((id) => id?.toString() ?? null),
    sar: sar_msg_ref_num === undefined ? null : [sar_msg_ref_num, sar_total_segments, sar_segment_seqnum],
    udh: udh ? udh.map((element) => element.toString('hex')) : null,
  });
  if (--state.cut.submits <= 0) return cut();
  if (state.muted) return;
  const { when, state: word, style, err } = state.receipts;
  const told = () => enqueue('receipt ' + number, [receipt({ message_id: number, state: word, style, err, source, dest })]);
  if (!status && when === 'before') told();
  const { sequence_number } = pdu;
  const congestion = state.congestion === undefined ? {} : { congestion_state: state.congestion };
  if (nack) session.send(new smpp.PDU('generic_nack', { command_status: status, sequence_number }));
  else session.send(pdu.response({ command_status: status, message_id, ...congestion }));
  if (!status && when === 'after') told();
}

const file = (name) => fs.readFileSync(argument(name));
const tls = argument('tls-key') ? { key: file('tls-key'), cert: file('tls-cert') } : {};

const serve = (session) => {
  session.on('error', () => {});
  session.on('close', () => gone(session));
  if (cutsAt(session, 'connect')) return;
  for (const mode of ['transceiver', 'transmitter', 'receiver']) {
    session.on('bind_' + mode, (pdu) => bind(session, pdu, mode));
  }
  session.on('submit_sm', (pdu) => submitted(session, pdu));
  session.on('data_sm', (pdu) => submitted(session, pdu));
  session.on('enquire_link', (pdu) => {
    tell({ event: 'enquire_link' });
    if (!state.muted) session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    tell({ event: 'unbind' });
    if (cutsAt(session, 'unbind')) return;
    session.send(pdu.response());
    session.close();
  });
  session.on('pdu', (pdu) => {
    const expected = /^(deliver|data)_sm_resp$/.test(pdu.command) && session._callbacks[pdu.sequence_number];
    if (pdu.isResponse() && !expected) {
      tell({ event: 'answer', command: pdu.command, status: pdu.command_status, sequence: pdu.sequence_number });
    }
  });
};
const server = smpp.createServer(tls, serve);
server.on('tlsClientError', () => {});

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
    state.queue.push({ id: 'flood', part: 0, parts: 1, options, command: 'deliver_sm', session: null, settled });
  }
  pump();
}

const commands = {
  deliver: (command) => enqueue(command.id ?? 'message', deliverSms(command), undefined, command.command),
  flood,
  receipt: (command) => enqueue(command.id ?? 'receipt ' + command.message_id, [receipt(command)]),
  auto_receipts: ({ cmd, ...rest }) => Object.assign(state.receipts, rest),
  ids: ({ cmd, first, ...rest }) => {
    state.ids = rest;
    state.nextMessage = first ?? state.nextMessage;
  },
  answer: ({ status, times = 1, nack = false }) => { state.answers = { status, times, nack }; },
  congestion: ({ hundredths }) => { state.congestion = hundredths; },
  capacity: ({ per_s }) => { state.capacity.per_s = per_s; },
  refuse_binds: ({ status, times = 1 }) => { state.bindRefusals = { status, times }; },
  mute: ({ on }) => { state.muted = on; },
  mute_resp: ({ on }) => { state.deaf = on; },
  cut,
  cut_after: ({ submits = Infinity, resps = Infinity }) => { state.cut = { submits, resps }; },
  cut_at: ({ what, times = 1 }) => { state.cutAt[what] = times; },
  cut_in: ({ hex }) => {
    const whole = Buffer.from(hex, 'hex');
    for (const { socket } of state.sessions) socket.write(whole.subarray(0, whole.length / 2), () => socket.destroy());
  },
  outbind: ({ port, system_id, password }) => {
    const session = smpp.connect({ host: '127.0.0.1', port });
    serve(session);
    session.on('connect', () => session.outbind({ system_id, password }));
  },
  unbind: () => state.sessions.forEach((session) => session.unbind()),
  enquire: () => state.sessions.forEach((session) => session.enquire_link()),
  raw: ({ hex }) => state.sessions[0]?.socket.write(Buffer.from(hex, 'hex')),
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
