/** coturn's own test client, turnutils_uclient, and its echo peer, turnutils_peer. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answersDatagram, ENGINE, explain, startServer, type TurnServer, waitUntilReady } from './harness.ts';
import { freePort } from './ports.ts';
import { type BackgroundProcess, type FinishedRun, run, startBackground } from './processes.ts';

const CLIENT_TIMEOUT_MS = 60_000;

/** What turnutils_uclient tells at its end. Lost is what its peers never got or never sent back. */
interface Totals {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly sendDropped: number;
}

let server: TurnServer;
let peerPort: number;
const peers: BackgroundProcess[] = [];

beforeAll(async () => {
  server = await startServer();
  peerPort = await freePort();
  for (const address of ['127.0.0.1', '::1']) {
    const peer = startBackground('turnutils_peer', ['-p', String(peerPort), '-L', address]);
    peers.push(peer);
    await waitUntilReady(peer, () => answersDatagram(address, peerPort));
  }
});

afterAll(async () => {
  for (const peer of peers) await peer.stop();
  await server?.stop();
});

// Not here: dual allocation (-Z), for which Debian's uclient 4.6.1 asks by attribute 0x8032 of a draft
// instead of RFC 8656's ADDITIONAL-ADDRESS-FAMILY, 0x8000.
describe.concurrent('turnutils_uclient, pairs of clients relaying to each other', () => {
  const udp = ['-y', '-m', '4', '-n', '25'];
  const tls = (): string[] => ['-t', '-S', '-E', server.authorityFile];

  it('channels over UDP', () => expectNoLoss('127.0.0.1', 100, [...udp, '-c']));
  it('Send indications over UDP', () => expectNoLoss('127.0.0.1', 100, [...udp, '-c', '-s']));
  it('RTP and RTCP on adjacent ports: EVEN-PORT with its reservation', () =>
    expectNoLoss('127.0.0.1', 100, udp));
  it('repeated permissions and channel binds', () => expectNoLoss('127.0.0.1', 100, [...udp, '-c', '-G']));
  // Node's own sockets cannot set DF: there the server answers 420.
  it.skipIf(ENGINE === 'dgram')('DONT-FRAGMENT asked for', () =>
    expectNoLoss('127.0.0.1', 100, [...udp, '-c', '-s', '-g']),
  );
  it('payloads of 1,200 bytes', () => expectNoLoss('127.0.0.1', 100, [...udp, '-c', '-l', '1200']));

  it('channels over TCP', () => expectNoLoss('127.0.0.1', 100, [...udp, '-c', '-t']));
  it('Send indications over TCP', () => expectNoLoss('127.0.0.1', 100, [...udp, '-c', '-t', '-s']));
  // Over TLS uclient reads one record a wake-up and overlooks messages close together: 100 ms apart.
  it('channels over TLS', () => expectNoLoss('127.0.0.1', 100, [...udp, '-c', ...tls(), '-z', '100']));
  it('Send indications over TLS', () =>
    expectNoLoss('127.0.0.1', 100, [...udp, '-c', ...tls(), '-s', '-z', '100']));

  it('channels over IPv6 with IPv6 relays', () => expectNoLoss('::1', 100, [...udp, '-c', '-x']));
  it('Send indications over IPv6 with IPv6 relays', () =>
    expectNoLoss('::1', 100, [...udp, '-c', '-x', '-s']));
  it('TCP over IPv6 with IPv6 relays', () => expectNoLoss('::1', 100, [...udp, '-c', '-x', '-t']));
  it('TLS over IPv6 with IPv6 relays', () =>
    expectNoLoss('::1', 100, [...udp, '-c', '-x', ...tls(), '-z', '100']));
  it('IPv6 relays for clients on IPv4', () => expectNoLoss('127.0.0.1', 100, [...udp, '-c', '-x']));
  it('IPv4 relays for clients on IPv6', () => expectNoLoss('::1', 100, [...udp, '-c', '-X']));
});

describe.concurrent('turnutils_uclient to turnutils_peer', () => {
  const toPeer = (address: string): string[] => ['-c', '-e', address, '-r', String(peerPort)];
  const tenClients = ['-m', '10', '-n', '50'];

  it('channels over UDP', () => expectNoLoss('127.0.0.1', 500, [...toPeer('127.0.0.1'), ...tenClients]));
  it('Send indications over UDP', () =>
    expectNoLoss('127.0.0.1', 500, [...toPeer('127.0.0.1'), ...tenClients, '-s']));
  it('channels over TCP', () =>
    expectNoLoss('127.0.0.1', 500, [...toPeer('127.0.0.1'), ...tenClients, '-t']));
  it('channels to a peer on IPv6', () => expectNoLoss('::1', 500, [...toPeer('::1'), ...tenClients, '-x']));
  it('Send indications to a peer on IPv6', () =>
    expectNoLoss('::1', 500, [...toPeer('::1'), ...tenClients, '-x', '-s']));
});

describe('turnutils_uclient, many clients', () => {
  it('100 clients over UDP', () =>
    expectNoLoss('127.0.0.1', 10_000, [
      '-c',
      '-e',
      '127.0.0.1',
      '-r',
      String(peerPort),
      '-m',
      '100',
      '-n',
      '100',
    ]));
  it('100 clients over TCP', () =>
    expectNoLoss('127.0.0.1', 10_000, [
      ...['-c', '-e', '127.0.0.1', '-r', String(peerPort), '-m', '100', '-n', '100', '-t'],
    ]));
});

describe('turnutils_uclient with time-limited credentials', () => {
  const secret = 'shared between the TURN server and the issuer';
  const pair = ['-y', '-c', '-m', '2', '-n', '10'];
  let secretServer: TurnServer;
  beforeAll(async () => {
    secretServer = await startServer({ sharedSecret: secret });
  });
  afterAll(() => secretServer?.stop());

  it('relays for credentials made with the shared secret', async () => {
    const result = await uclient(secretServer, '127.0.0.1', [...pair, '-u', 'alice', '-W', secret]);
    expect(totalsOf(result), explain(result, secretServer)).toEqual(noLoss(20));
  });

  it('refuses credentials made with another secret', async () => {
    const result = await uclient(secretServer, '127.0.0.1', [...pair, '-u', 'alice', '-W', 'another']);
    expectRefusal(result, secretServer);
  });
});

describe('turnutils_uclient is refused', () => {
  it('with a wrong password', async () => {
    const result = await uclient(server, '127.0.0.1', ['-y', '-c', '-u', server.user, '-w', 'wrong']);
    expectRefusal(result, server);
  });

  it('as an unknown user', async () => {
    const result = await uclient(server, '127.0.0.1', ['-y', '-c', '-u', 'mallory', '-w', server.password]);
    expectRefusal(result, server);
  });
});

/** Runs the client as the configured user and expects everything that was sent to come back. */
async function expectNoLoss(address: string, messages: number, options: readonly string[]): Promise<void> {
  const result = await uclient(server, address, [...options, '-u', server.user, '-w', server.password]);
  expect(result.exitCode, explain(result, server)).toBe(0);
  expect(totalsOf(result), explain(result, server)).toEqual(noLoss(messages));
}

/** The client must end by itself, with a failure, before it sent anything. */
function expectRefusal(result: FinishedRun, by: TurnServer): void {
  expect(result.timedOut, explain(result, by)).toBe(false);
  expect(result.exitCode, explain(result, by)).not.toBe(0);
  expect(totalsOf(result), explain(result, by)).toBeUndefined();
}

function uclient(to: TurnServer, address: string, options: readonly string[]): Promise<FinishedRun> {
  const port = options.includes('-S') ? to.tlsPort : to.port;
  return run('turnutils_uclient', [...options, '-p', String(port), address], CLIENT_TIMEOUT_MS);
}

function totalsOf(result: FinishedRun): Totals | undefined {
  const messages = [...result.output.matchAll(/start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/g)].at(
    -1,
  );
  const losses = /Total lost packets (-?\d+) \(.*?\), total send dropped (-?\d+)/.exec(result.output);
  if (messages === undefined || losses === null) return undefined;
  return {
    sent: Number(messages[1]),
    received: Number(messages[2]),
    lost: Number(losses[1]),
    sendDropped: Number(losses[2]),
  };
}

function noLoss(messages: number): Totals {
  return { sent: messages, received: messages, lost: 0, sendDropped: 0 };
}
