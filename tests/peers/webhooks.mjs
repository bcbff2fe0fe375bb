// A receiver of webhooks for tests, which verifies by the lines that docs/webhooks.md gives for JavaScript.
//
//   WEBHOOK_SECRET=whsec_… node webhooks.mjs
//
// Its first line on stdout is {"port":N}. Each call is told as {"event":"call","type",…} once it was verified, or as
// {"event":"refused"}. Commands, one JSON object a line on stdin: {"cmd":"secret","secret"} to verify by another one.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import readline from 'node:readline';
import { Webhook } from 'standardwebhooks';

const docs = readFileSync(new URL('../../docs/webhooks.md', import.meta.url), 'utf8');
const snippet = docs.match(/```js\n(.*?)```/s)[1].replace("import { Webhook } from 'standardwebhooks';", '');
let take;

function learn(secret) {
  process.env.WEBHOOK_SECRET = secret;
  take = new Function('Webhook', `${snippet}; return take;`)(Webhook);
}

const tell = (event) => process.stdout.write(JSON.stringify(event) + '\n');

const server = http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  try {
    const event = take(request.headers, Buffer.concat(parts).toString('utf8'));
    tell({ event: 'call', path: request.url, name: request.headers['webhook-id'], body: event });
    response.statusCode = 204;
  } catch (error) {
    tell({ event: 'refused', why: error.constructor.name });
    response.statusCode = 400;
  }
  response.end();
});

learn(process.env.WEBHOOK_SECRET ?? 'whsec_AAAA');
server.listen(0, '127.0.0.1', () => tell({ port: server.address().port }));
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  learn(JSON.parse(line).secret);
  tell({ event: 'done' });
});
