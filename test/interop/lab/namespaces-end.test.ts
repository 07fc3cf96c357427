/** However the lab of namespaces ends, nothing of it stays: and where it is impossible, it says why. */
import { describe, expect, it } from 'vitest';
import {
  AS_NOBODY,
  AS_SELF,
  canRunAs,
  childrenOf,
  Front,
  hostNetwork,
  isHeld,
  NO_NFT,
  OWN_USERS,
  until,
  whyNoNamespaces,
  without,
} from './namespaces-rig.ts';

/** Ways for a lab with programs in it to end. */
const ENDS: readonly (readonly [string, (front: Front, wrapper: number) => Promise<unknown>])[] = [
  ['the front process is killed (SIGKILL)', (front) => front.kill('SIGKILL')],
  ['the front process is asked to end (SIGTERM)', (front) => front.kill('SIGTERM')],
  ['the terminal is gone (SIGHUP)', (front) => front.kill('SIGHUP')],
  [
    'the inner process is killed',
    async (_, wrapper) => childrenOf(wrapper).map((pid) => process.kill(pid, 'SIGKILL')),
  ],
  ['its wrapper is killed', async (_, wrapper) => process.kill(wrapper, 'SIGKILL')],
  [
    'the front process closes the channel',
    (front) => Promise.race([front.ask('disconnectInner'), undefined]),
  ],
];

describe.each([
  ['root or whoever runs this', AS_SELF],
  ['an ordinary user', AS_NOBODY],
])('lab of namespaces, as %s', (_, user) => {
  it.skipIf(!canRunAs(user)).each(ENDS)('nothing stays when %s', async (_name, end) => {
    const hostBefore = hostNetwork();
    const front = new Front(user);
    await front.ask('build');
    await front.ask('start', 'core', 'sh', ['-c', "trap '' TERM HUP; echo ready; while :; do sleep 1; done"]);
    await front.ask('start', 'homeA', 'sh', ['-c', 'setsid sleep 1000 & echo ready']);
    const identities = (await front.ask('identities')) as string[];
    const wrapper = Number(await front.ask('wrapperPid'));
    // Of the lab itself, and of ten places and routers.
    expect(identities).toHaveLength(11);
    expect(isHeld(identities)).toBe(true);
    // Front, wrapper, inner process, ten holders, and the two programs.
    await until('all its processes are seen', () => front.processes().length >= 15);

    await end(front, wrapper);
    // Only the front process may live on.
    await until('the processes of the lab end', () => front.processes().length <= 1);
    await until('its namespaces go', () => !isHeld(identities));
    await front.kill('SIGKILL');
    expect(front.processes()).toEqual([]);
    expect(hostNetwork()).toBe(hostBefore);
  });
});

const NO_RIGHTS = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'];

describe('where namespaces are not possible, the probe says why in one line', () => {
  it.each([
    ['nft is not installed (Debian package nftables)', without(OWN_USERS, NO_NFT)],
    [
      'unprivileged user namespaces are off (user.max_user_namespaces is 0)',
      [...without(OWN_USERS, 'echo 0 >/proc/sys/user/max_user_namespaces'), ...NO_RIGHTS],
    ],
    [
      /^namespaces cannot be entered here: unshare: unshare failed: .+$/,
      without(OWN_USERS, 'echo 0 >/proc/sys/user/max_net_namespaces'),
    ],
  ])('%s', async (reason, user) => {
    const why = await whyNoNamespaces(user);
    if (typeof reason === 'string') expect(why).toBe(reason);
    else expect(why).toMatch(reason);
  });
});
