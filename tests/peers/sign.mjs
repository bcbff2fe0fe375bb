// Signs requests with npm http-message-signatures (RFC 9421) and sends them: a client that we did not write.
//
// Reads one JSON document from standard input, a list of jobs:
//   {url, method?, body?, alg, key, keyid, nonce?, age_s?, fields?, params?, bearer?, times?, then?}
// `key` is a secret in base64 or a private key in PEM. `then` is what is changed after signing: {url, method, body,
// headers}. `times` sends the same signed request so often at once.
// Writes one JSON list: for each job the list of {status, code} of its answers.
import { createHash, createPrivateKey, randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { createSigner, httpbis } from 'http-message-signatures';

const FIELDS = ['@method', '@authority', '@path', '@query'];

async function signed(job) {
  const key = job.key.startsWith('-----') ? createPrivateKey(job.key) : Buffer.from(job.key, 'base64');
  const headers = {};
  const fields = [...(job.fields ?? FIELDS)];
  if (job.bearer) headers.Authorization = `Bearer ${job.bearer}`;
  if (job.body !== undefined) {
    headers['Content-Type'] = 'application/json';
    headers['Content-Digest'] = `sha-256=:${createHash('sha256').update(job.body).digest('base64')}:`;
    if (!job.fields) fields.push('content-digest', 'content-type');
  }
  return httpbis.signMessage(
    {
      name: 'sig',
      key: createSigner(key, job.alg, job.keyid),
      fields,
      params: job.params ?? ['created', 'nonce', 'keyid', 'alg'],
      paramValues: { nonce: job.nonce ?? randomUUID(), created: new Date(Date.now() - 1000 * (job.age_s ?? 0)) },
    },
    { method: job.method ?? 'GET', url: job.url, headers, body: job.body },
  );
}

async function answer(request) {
  const { url, method, headers, body } = request;
  const response = await fetch(url, { method, headers, body });
  const content = await response.text();
  let code = null;
  try {
    code = JSON.parse(content).code ?? null;
  } catch {
    // No JSON, no code.
  }
  return { status: response.status, code };
}

const out = [];
for (const job of JSON.parse(await text(process.stdin))) {
  const request = await signed(job);
  const then = job.then ?? {};
  const sent = { ...request, ...then, headers: { ...request.headers, ...then.headers } };
  out.push(await Promise.all(Array.from({ length: job.times ?? 1 }, () => answer(sent))));
}
console.log(JSON.stringify(out));
