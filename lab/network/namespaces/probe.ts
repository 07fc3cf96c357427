/** Whether the lab's network of namespaces is possible here. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { inNewNamespaces } from './enter.ts';
import { gatewayRules, initialState } from './gateway-rules.ts';
import { kernelSettings } from './network-space.ts';
import { collect, ended, hasProgram, oneLine, programEnvironment } from './programs.ts';

/** What has to be installed, and in which Debian package it comes. */
const PROGRAMS: readonly (readonly [program: string, debianPackage: string])[] = [
  ['ip', 'iproute2'],
  ['nft', 'nftables'],
  ['unshare', 'util-linux'],
  ['nsenter', 'util-linux'],
];

/** Settings that keep ordinary users out, and the value that does. */
const SWITCHES: readonly (readonly [setting: string, value: string])[] = [
  ['kernel.unprivileged_userns_clone', '0'],
  ['user.max_user_namespaces', '0'],
  ['kernel.apparmor_restrict_unprivileged_userns', '1'],
];

/** A machine that takes this long for the trial is too slow for a lab. */
const TRIAL_MS_MAX = 5000;

/** Every thing that the network is made of, once; each step is named before it is taken. */
const TRIAL = `
echo namespaces
${kernelSettings(true)}
echo a bridge
ip link add name lan type bridge
echo a pair of virtual devices
ip link add name wan type veth peer name other
ip link set other master lan
echo a network namespace within
unshare --net -- ip link set lo up
echo rules of nftables
nft -f -
`;

/** Undefined: it is possible; else why not, in one line. Nothing of the trial stays. */
export async function whyNoNamespaces(): Promise<string | undefined> {
  if (platform() !== 'linux') return `network namespaces are Linux's: this is ${platform()}`;
  for (const [program, debianPackage] of PROGRAMS) {
    if (!hasProgram(program)) return `${program} is not installed (Debian package ${debianPackage})`;
  }
  const [command, ...args] = inNewNamespaces(['sh', '-e', '-c', TRIAL]);
  const child = spawn(command, args, { env: programEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), TRIAL_MS_MAX);
  const said = collect(child);
  let steps = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    steps += text;
  });
  // It may end before it reads.
  child.stdin.on('error', () => {});
  child.stdin.end(gatewayRules('A', initialState('A')));
  const end = await ended(child);
  clearTimeout(timer);
  if (end === 0) return undefined;
  const step = steps.trimEnd().split('\n').at(-1);
  const why = end === 'SIGKILL' ? `it took more than ${TRIAL_MS_MAX / 1000} s` : oneLine(said()) || end;
  return step ? `${step} cannot be made here: ${why}` : whyNotEntered(why);
}

function whyNotEntered(why: string): string {
  for (const [setting, value] of SWITCHES) {
    if (readSetting(setting) === value)
      return `unprivileged user namespaces are off (${setting} is ${value})`;
  }
  return `namespaces cannot be entered here: ${why}`;
}

function readSetting(setting: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${setting.replaceAll('.', '/')}`, 'utf8').trim();
  } catch {
    // Not every kernel has every setting.
    return undefined;
  }
}
