/**
 * Causeway as TURN server and media engine of the MRA lab in one, for calls between phones outside:
 * `node …/lab-node.mjs STATE_DIRECTORY`, within the lab's namespace `dmz`.
 *
 * It becomes `causeway serve`, in this same process. The addresses, ports and credentials are those that the
 * lab tells its phones (its env.sh).
 */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const directory = process.argv[2];
if (directory === undefined) {
  console.error('usage: lab-node.mjs STATE_DIRECTORY');
  process.exit(2);
}

/** Of the edge in the lab, on its public side. */
const ADDRESS = '198.51.100.10';

const configuration = {
  node: { stateDirectory: join(directory, 'state'), log: { level: 'info', format: 'json' } },
  turn: {
    listenAddresses: [ADDRESS],
    requestsPort: 3478,
    realm: 'mra.example',
    credentials: [{ name: 'lab', password: 'labsecret' }],
    mediaPorts: [50_000, 50_999],
    relayAddresses: [ADDRESS],
    peers: {
      // The lab's public side lies in documentation ranges.
      allow: ['198.51.100.0/24', '203.0.113.0/24'],
      // baresip gives up its whole allocation when one private candidate of the other phone is refused.
      refusal: 'silent',
    },
  },
  b2bua: {
    ng: '127.0.0.1:2223',
    mediaPorts: [30_000, 30_999],
    zones: [
      {
        ...{ id: 1, name: 'pub', kind: 'traversal', address: ADDRESS },
        ...{ signalling: 'tls', mediaEncryption: 'force', icePassthrough: true },
      },
    ],
  },
  admin: { http: '127.0.0.1:8080' },
};

const file = join(directory, 'causeway.yaml');
writeFileSync(file, JSON.stringify(configuration, null, 2));

const program = resolve(import.meta.dirname, '../../dist/main.js');
process.argv = [process.execPath, program, 'serve', '-c', file];
await import(pathToFileURL(program).href);
