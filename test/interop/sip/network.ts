/**
 * Network namespaces in a row, each linked to the next: a phone at home behind NAT, the media nodes, a
 * desk phone inside. No namespace forwards but the home gateway, so only a media node carries a call
 * from one side to the other.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from '../processes.ts';

/** Of all namespaces made here; what a killed run has left is found by it. */
const PREFIX = 'causeway-sip-';

const COMMAND_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 2_000;
const END_POLL_MS = 50;

/** Larger than any SIP message of the suite, so that none comes in fragments. */
const MTU_BYTES = 9_000;

const PHONE_ADDRESS = '192.168.1.11';
const HOME_LAN_ADDRESS = '192.168.1.1';
const HOME_WAN_ADDRESS = '203.0.113.2';
const DESK_ADDRESS = '10.10.0.2';

/** A media node between two sides. */
export interface NodePlace {
  /** Its namespace. The interfaces in it are called `outer` and `inner`. */
  readonly name: string;
  readonly outerAddress: string;
  readonly innerAddress: string;
}

/** Namespaces `phone`, `home`, those of the nodes, `desk`; they exist until `remove()`. */
export interface Network {
  readonly phoneAddress: string;
  /** Of the home's gateway, towards the first node: the phone's, as seen from there. */
  readonly homeAddress: string;
  readonly deskAddress: string;
  /** From the outside inwards. */
  readonly nodes: readonly NodePlace[];
  /** The command and first arguments that run a program in a namespace. */
  within(namespace: string): readonly [string, ...string[]];
  /** Ports of a namespace's UDP sockets that are not on loopback, in rising order. */
  udpPorts(namespace: string): Promise<readonly number[]>;
  /** Ends what still runs in the namespaces and removes them. */
  remove(): Promise<void>;
}

/** Why no namespaces can be made here; undefined where they can. */
export function whyNoNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const probe = `${PREFIX}probe`;
  const made = spawnSync('ip', ['netns', 'add', probe], { encoding: 'utf8', timeout: COMMAND_TIMEOUT_MS });
  if (made.status !== 0) return `ip netns add: ${made.error?.message ?? made.stderr.trim()}`;
  spawnSync('ip', ['netns', 'del', probe], { timeout: COMMAND_TIMEOUT_MS });
  return undefined;
}

/**
 * Makes phone – home – (node …) – desk, IPv4 only. What an earlier run has left is removed first.
 * @throws Error with the output of the command that failed
 */
export async function makeNetwork(nodeNames: readonly string[]): Promise<Network> {
  await removeNamespaces();
  const nodes = nodeNames.map((name, index) => ({
    name,
    outerAddress: index === 0 ? '203.0.113.1' : `10.20.${index}.2`,
    innerAddress: index === nodeNames.length - 1 ? '10.10.0.1' : `10.20.${index + 1}.1`,
  }));
  const chain: readonly (readonly [name: string, outerAddress: string, innerAddress: string])[] = [
    ['phone', '', PHONE_ADDRESS],
    ['home', HOME_LAN_ADDRESS, HOME_WAN_ADDRESS],
    ...nodes.map((node) => [node.name, node.outerAddress, node.innerAddress] as const),
    ['desk', DESK_ADDRESS, ''],
  ];
  try {
    for (const [index, [name, outerAddress]] of chain.entries()) {
      await makeNamespace(name);
      const before = chain[index - 1];
      if (before !== undefined) await link([before[0], before[2]], [name, outerAddress]);
    }
    await ipIn('phone', 'route', 'add', 'default', 'via', HOME_LAN_ADDRESS);
    await maskHome();
  } catch (error) {
    await removeNamespaces();
    throw error;
  }
  return {
    phoneAddress: PHONE_ADDRESS,
    homeAddress: HOME_WAN_ADDRESS,
    deskAddress: DESK_ADDRESS,
    nodes,
    within,
    udpPorts,
    remove: removeNamespaces,
  };
}

function within(namespace: string): readonly [string, ...string[]] {
  return ['ip', 'netns', 'exec', PREFIX + namespace];
}

async function udpPorts(namespace: string): Promise<readonly number[]> {
  const sockets = await succeedIn(namespace, 'ss', '-Hlun');
  const local = sockets.split('\n').flatMap((line) => line.trim().split(/\s+/)[3] ?? []);
  return local
    .filter((address) => !address.startsWith('127.'))
    .map((address) => Number(address.slice(address.lastIndexOf(':') + 1)))
    .sort((a, b) => a - b);
}

async function makeNamespace(name: string): Promise<void> {
  await succeed('ip', ['netns', 'add', PREFIX + name]);
  // What is captured shall not depend on link-local addresses.
  for (const which of ['all', 'default']) {
    const setting = `/proc/sys/net/ipv6/conf/${which}/disable_ipv6`;
    await succeedIn(name, 'sh', '-c', `[ ! -e ${setting} ] || echo 1 >${setting}`);
  }
  await ipIn(name, 'link', 'set', 'lo', 'up');
}

/** Links the `inner` side of one namespace to the `outer` side of the next; ends as [namespace, address]. */
async function link(
  [one, oneAddress]: readonly [string, string],
  [next, nextAddress]: readonly [string, string],
): Promise<void> {
  // One packet a frame: what is sent as one message of several (GSO) would be captured as one.
  const frames = ['mtu', String(MTU_BYTES), 'gso_max_segs', '1'];
  const peer = ['peer', 'name', 'outer', ...frames, 'netns', PREFIX + next];
  await ipIn(one, 'link', 'add', 'inner', ...frames, 'type', 'veth', ...peer);
  await ipIn(one, 'addr', 'add', `${oneAddress}/24`, 'dev', 'inner');
  await ipIn(one, 'link', 'set', 'inner', 'up');
  await ipIn(next, 'addr', 'add', `${nextAddress}/24`, 'dev', 'outer');
  await ipIn(next, 'link', 'set', 'outer', 'up');
}

/** NAT of the home: ports are kept where free, and only who was sent to may answer (address and port). */
async function maskHome(): Promise<void> {
  await succeedIn('home', 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward');
  // What nobody asked for is dropped on input: an entry for it in the connection table would make a
  // later outgoing packet of the same ports be renumbered.
  const rules = [
    'add table ip nat',
    'add chain ip nat mask { type nat hook postrouting priority srcnat; }',
    'add rule ip nat mask oifname "inner" masquerade',
    'add chain ip nat input { type filter hook input priority filter; policy drop; }',
    'add rule ip nat input ct state established,related accept',
    'add rule ip nat input iifname { "lo", "outer" } accept',
    'add chain ip nat forward { type filter hook forward priority filter; policy drop; }',
    'add rule ip nat forward ct state established,related accept',
    'add rule ip nat forward iifname "outer" accept',
  ];
  await succeedIn('home', 'nft', rules.join('; '));
}

async function removeNamespaces(): Promise<void> {
  const listed = await succeed('ip', ['netns', 'list']);
  const names = listed.split('\n').flatMap((line) => line.match(/^\S+/)?.[0] ?? []);
  for (const name of names.filter((one) => one.startsWith(PREFIX))) {
    await endProcesses(name);
    await succeed('ip', ['netns', 'del', name]);
  }
}

async function endProcesses(name: string): Promise<void> {
  const deadlineMs = Date.now() + END_TIMEOUT_MS;
  for (let signal: NodeJS.Signals = 'SIGTERM'; ; signal = Date.now() < deadlineMs ? 'SIGTERM' : 'SIGKILL') {
    const pids = (await succeed('ip', ['netns', 'pids', name])).split('\n').filter((pid) => pid !== '');
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(Number(pid), signal);
      } catch {
        // It has ended by itself.
      }
    }
    await delay(END_POLL_MS);
  }
}

function ipIn(namespace: string, ...args: readonly string[]): Promise<string> {
  return succeed('ip', ['-n', PREFIX + namespace, ...args]);
}

function succeedIn(namespace: string, ...command: readonly string[]): Promise<string> {
  return succeed('ip', ['netns', 'exec', PREFIX + namespace, ...command]);
}

/** The output of a command that must succeed. */
async function succeed(command: string, args: readonly string[]): Promise<string> {
  const result = await run(command, args, COMMAND_TIMEOUT_MS);
  if (result.exitCode !== 0) throw new Error(`${result.commandLine}: ${result.output.trim()}`);
  return result.output;
}
