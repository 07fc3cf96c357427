/**
 * node-stun asks a server for its mapped address.
 * node node-stun.mjs HOST PORT  →  last line of output {"local":{…},"mapped":{…}}, exit code 0,
 * or exit code 1 after 5 s without an answer.
 *
 * Only the mapped address is waited for: the rest of RFC 3489's discovery (NAT kinds) needs a
 * server with a second IP address, and without one node-stun never reports an end.
 */
import { setTimeout as delay } from 'node:timers/promises';
import stun from 'node-stun';

const [host, port] = process.argv.slice(2);
const TIMEOUT_MS = 5_000;
const POLL_MS = 20;

const client = stun.createClient();
client.setServerAddr(host, Number(port));
client.setLocalAddr('127.0.0.1');
client.start(() => {});

for (let waitedMs = 0; waitedMs < TIMEOUT_MS; waitedMs += POLL_MS) {
  const mapped = client.getMappedAddr();
  if (mapped.port !== 0) {
    const local = { address: client._local.addr, port: client._local.port };
    console.log(JSON.stringify({ local, mapped }));
    process.exit(0);
  }
  await delay(POLL_MS);
}
console.log('no mapped address');
process.exit(1);
