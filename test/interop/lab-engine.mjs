/**
 * Causeway as the media engine of the MRA lab: ENGINE_CMD='node …/lab-engine.mjs'.
 *
 * The lab gives its settings in the environment (ENGINE_NG, DMZ_PUB, DMZ_CORP, ENGINE_IF_PUB,
 * ENGINE_IF_CORP, ENGINE_MIN, ENGINE_MAX); this turns them into a configuration file and becomes
 * `causeway serve -c FILE`, in this same process, since the lab ends the process it started with
 * SIGTERM. TURN stays off: the lab has a TURN server of its own on the same address.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** @param {string} name @returns {string} */
function setting(name) {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  console.error(`lab-engine: ${name} is not set; the lab sets it for ENGINE_CMD`);
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), 'causeway-lab-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));

/** What both zones of the lab have in common: the proxy's flags decide what each leg is offered. */
const zone = { signalling: 'tls', mediaEncryption: 'auto', aesGcm: true };

const configuration = {
  node: { stateDirectory: join(directory, 'state'), log: { level: 'info', format: 'json' } },
  turn: { services: false },
  b2bua: {
    ng: setting('ENGINE_NG'),
    mediaPorts: [Number(setting('ENGINE_MIN')), Number(setting('ENGINE_MAX'))],
    zones: [
      { id: 1, name: setting('ENGINE_IF_PUB'), kind: 'traversal', address: setting('DMZ_PUB'), ...zone },
      { id: 2, name: setting('ENGINE_IF_CORP'), kind: 'neighbor', address: setting('DMZ_CORP'), ...zone },
    ],
  },
  admin: { http: '127.0.0.1:8080' },
};

const file = join(directory, 'causeway.yaml');
writeFileSync(file, JSON.stringify(configuration, null, 2));

const program = resolve(import.meta.dirname, '../../dist/main.js');
process.argv = [process.execPath, program, 'serve', '-c', file];
await import(pathToFileURL(program).href);
