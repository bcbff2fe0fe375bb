// The handsets page. The credential lives in `session` and nowhere else; texts are set as text, never as markup.
"use strict";

const POLL_MS = 1500;
const $ = (id) => document.getElementById(id);

/** The open handset: { credential, handset, timer, seen }, or null. */
let session = null;

class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail || "The service answered with an error.");
    this.code = problem.code || String(status);
    this.status = status;
  }
}

async function call(credential, path, body) {
  const headers = { Authorization: `Bearer ${credential}` };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method: body ? "POST" : "GET",
    headers,
    body: body && JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
    referrerPolicy: "no-referrer",
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(answer, response.status);
  return answer;
}

function say(id, text, kind) {
  const place = $(id);
  place.textContent = text;
  place.dataset.kind = kind || "";
}

function explain(error) {
  return error instanceof Refused ? `${error.message} (${error.code})` : "The service cannot be reached.";
}

// ── reading ──

async function poll(mine) {
  try {
    const answer = await call(mine.credential, `/sandbox/messages?limit=100&to=${encodeURIComponent(mine.handset)}`);
    if (session !== mine) return;
    show(mine, answer.data);
    say("open-state", "Open. New messages appear by themselves.", "good");
  } catch (error) {
    if (session !== mine) return;
    say("open-state", explain(error), "bad");
    const lasting = error instanceof Refused && error.status < 500 && error.status !== 429;
    if (lasting) return close();
  }
  mine.timer = setTimeout(() => poll(mine), POLL_MS);
}

function show(mine, messages) {
  const fresh = messages.filter((message) => !mine.seen.has(message.id));
  for (const message of fresh.reverse()) {
    mine.seen.add(message.id);
    $("messages").prepend(bubble(message));
  }
  $("empty").hidden = mine.seen.size > 0;
  $("empty").textContent = "Nothing has arrived yet.";
}

function bubble(message) {
  const item = document.createElement("li");
  const head = document.createElement("div");
  const from = document.createElement("button");
  const time = document.createElement("time");
  const text = document.createElement("p");
  head.className = "from";
  from.type = "button";
  from.className = "sender";
  from.textContent = message.from;
  const answerable = message.from.startsWith("+");
  from.disabled = !answerable;
  from.title = answerable ? "Answer this sender" : "This sender cannot be answered";
  from.addEventListener("click", () => answer(message.from));
  time.dateTime = message.at;
  time.textContent = new Date(message.at).toLocaleTimeString();
  text.dir = "auto";
  text.textContent = message.text;
  head.append(from, time);
  item.append(head, text);
  return item;
}

function answer(number) {
  $("to").value = number;
  $("write").elements.as.value = "handset";
  choose();
  $("text").focus();
}

function open(event) {
  event.preventDefault();
  close();
  session = { credential: $("credential").value.trim(), handset: $("handset").value.trim(), timer: 0, seen: new Set() };
  $("close").hidden = false;
  $("pulse").dataset.on = "yes";
  $("empty").hidden = false;
  $("empty").textContent = "Opening …";
  poll(session);
}

function close() {
  if (session) clearTimeout(session.timer);
  session = null;
  $("messages").replaceChildren();
  $("close").hidden = true;
  $("pulse").dataset.on = "";
  $("empty").hidden = false;
  $("empty").textContent = "No handset is open.";
}

// ── writing ──

function choose() {
  const stranger = $("write").elements.as.value === "stranger";
  $("stranger-row").hidden = !stranger;
  $("from").required = stranger;
}

async function write(event) {
  event.preventDefault();
  const credential = $("credential").value.trim();
  const stranger = $("write").elements.as.value === "stranger";
  const from = (stranger ? $("from") : $("handset")).value.trim();
  if (!credential || !from) return say("write-state", "Fill in the credential and the handset first.", "bad");
  say("write-state", "Sending …");
  try {
    const { status } = await call(credential, "/sandbox/messages", { from, to: $("to").value.trim(), text: $("text").value });
    const words = { carried: "Taken; it is being carried on.", dropped: "Taken and dropped by a rule.", awaiting_parts: "Taken; more parts are awaited." };
    say("write-state", words[status] || status, status === "dropped" ? "bad" : "good");
    $("text").value = "";
  } catch (error) {
    say("write-state", explain(error), "bad");
  }
}

$("open").addEventListener("submit", open);
$("close").addEventListener("click", () => {
  close();
  say("open-state", "");
});
$("write").addEventListener("submit", write);
$("write").addEventListener("change", choose);
window.addEventListener("pagehide", () => {
  close();
  $("credential").value = "";
});
