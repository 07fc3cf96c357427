/** The media engines that are compared, each on ports of its own, on loopback. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeNgCommand } from '../src/bench/ng-message.ts';
import type { Launch } from './servers.ts';

export type EngineName = 'rtpengine' | 'causeway';

/** Where they hear `ng`, and their media ports: all below the system's ephemeral ports, where the generator's are. */
const PORTS: Readonly<Record<EngineName, { ng: number; media: readonly [first: number, last: number] }>> = {
  rtpengine: { ng: 8490, media: [20_000, 25_999] },
  causeway: { ng: 8491, media: [26_000, 31_999] },
};
const ADMIN_PORT = 8492;

export function mediaEngine(name: EngineName, directory: string): Launch {
  return {
    name,
    command: COMMANDS[name](directory),
    port: PORTS[name].ng,
    probe: writeNgCommand('probe', { command: 'ping' }),
    directory,
  };
}

const COMMANDS: Readonly<Record<EngineName, (directory: string) => string[]>> = {
  rtpengine: () => [
    'rtpengine',
    ...'--table=-1 --interface=127.0.0.1 --foreground --log-stderr --log-level=3 --num-threads=1'.split(' '),
    `--listen-ng=127.0.0.1:${PORTS.rtpengine.ng}`,
    `--port-min=${PORTS.rtpengine.media[0]}`,
    `--port-max=${PORTS.rtpengine.media[1]}`,
  ],
  causeway: (directory) => {
    const file = join(directory, 'causeway.yaml');
    writeFileSync(file, causewayConfiguration(directory));
    return [process.execPath, 'dist/main.js', 'serve', '-c', file];
  },
};

/** JSON is YAML. */
function causewayConfiguration(directory: string): string {
  return JSON.stringify({
    node: {
      workers: 1,
      engine: 'batch',
      stateDirectory: join(directory, 'state'),
      log: { level: 'warn', format: 'json' },
    },
    turn: { services: false },
    b2bua: {
      ng: `127.0.0.1:${PORTS.causeway.ng}`,
      mediaPorts: PORTS.causeway.media,
      zones: [
        {
          id: 1,
          name: 'loopback',
          kind: 'neighbor',
          address: '127.0.0.1',
          signalling: 'tls',
          mediaEncryption: 'auto',
          aesGcm: true,
        },
      ],
    },
    admin: { http: `127.0.0.1:${ADMIN_PORT}` },
  });
}
