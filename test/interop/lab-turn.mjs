/**
 * Causeway as the TURN server of the MRA lab: TURN_CMD='node …/lab-turn.mjs'.
 *
 * The lab gives its settings in the environment (TURN_HOST, TURN_PORT, TURN_TLS_PORT, TURN_USER,
 * TURN_PASS, TURN_REALM, TURN_MIN, TURN_MAX, TURN_CERT, TURN_KEY); this turns them into a
 * configuration file and becomes `causeway serve -c FILE`, in this same process, since the lab
 * ends the process it started with SIGTERM.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** @param {string} name @returns {string} */
function setting(name) {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  console.error(`lab-turn: ${name} is not set; the lab sets it for TURN_CMD`);
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), 'causeway-lab-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));

const configuration = {
  node: { stateDirectory: join(directory, 'state'), log: { level: 'info', format: 'json' } },
  b2bua: { services: false },
  turn: {
    listenAddresses: [setting('TURN_HOST')],
    requestsPort: Number(setting('TURN_PORT')),
    tls: {
      port: Number(setting('TURN_TLS_PORT')),
      certificate: setting('TURN_CERT'),
      key: setting('TURN_KEY'),
    },
    realm: setting('TURN_REALM'),
    credentials: [{ name: setting('TURN_USER'), password: setting('TURN_PASS') }],
    mediaPorts: [Number(setting('TURN_MIN')), Number(setting('TURN_MAX'))],
    relayAddresses: [setting('TURN_HOST')],
    // The lab's public side lies in documentation ranges; its corporate side (10.10.0.0/24) stays refused.
    peers: { allow: ['198.51.100.0/24', '203.0.113.0/24'] },
  },
};

const file = join(directory, 'causeway.yaml');
writeFileSync(file, JSON.stringify(configuration, null, 2));

const program = resolve(import.meta.dirname, '../../dist/main.js');
process.argv = [process.execPath, program, 'serve', '-c', file];
await import(pathToFileURL(program).href);
