/** Every key of a scenario file, its rule and its default. The only place where a default stands. */
import { z } from 'zod';
import {
  decimal,
  flag,
  integer,
  listOf,
  mapping,
  oneOf,
  parseSocketAddress,
  section,
  text,
  token,
} from '../../src/config/rules.ts';
import { NAT_KINDS } from '../topology.ts';
import type { CallPlan, Fault, Party, Scenario, Step } from './scenario.ts';

const STEPS_MAX = 50;
/** Of a step: all at once, on one machine. */
const CALLS_MAX = 20;
const WORDS_MAX = 64;
const FAULT_SECONDS_MAX = 600;
/** Until both sides have heard each other's reports: RTCP comes every second or so. */
const TALK_SECONDS_MIN = 3;

/** Of each direction on a path on which nothing should be lost: room for a busy machine. */
const LOSS_PERCENT_MAX = 1;
const LOSS_PERCENT_MAX_AFTER_LOSS = 25;

/** What the lab itself says in each command. */
const OWN_NG_KEYS = ['command', 'call-id', 'from-tag', 'to-tag', 'direction', 'sdp'];
const NG_DEPTH_MAX = 4;

const title = text(1, 100);
const place = oneOf('desk', 'internet', 'homeA', 'homeA2', 'homeB');
const home = oneOf('A', 'B');
const natKind = oneOf(...NAT_KINDS).default('endpoint-independent');
const faultSeconds = integer(1, FAULT_SECONDS_MAX);
const command = limited(text(1, 4096), 'words', WORDS_MAX).exactOptional();
const ngKeys = z
  .record(
    z.string().refine((key) => !OWN_NG_KEYS.includes(key), { error: 'is the lab’s own' }),
    z.custom<unknown>((value) => isNgValue(value, NG_DEPTH_MAX), {
      error: 'must be text, a whole number, or a list or mapping of them',
    }),
    { error: 'must be a mapping of ng keys' },
  )
  .exactOptional();

/** A place alone stands for a party there with all defaults. */
const partySchema = z
  .preprocess(
    (value) => (typeof value === 'object' && value !== null ? value : { place: value }),
    mapping({
      place,
      ice: oneOf('full', 'werift', 'none').exactOptional(),
      encryption: oneOf('AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM', 'none').exactOptional(),
      turn: flag().exactOptional(),
    }),
  )
  .transform(party);

const callSchema = mapping({
  title: title.exactOptional(),
  from: partySchema,
  to: partySchema,
  expect: oneOf(
    ...(['none', 'host_to_host', 'host_to_srflx', 'host_to_relay'] as const),
    ...(['srflx_to_srflx', 'srflx_to_relay', 'relay_to_relay'] as const),
  ),
  evidence: oneOf('verified', 'unknown', 'any').exactOptional(),
  afterFault: oneOf('unharmed', 'recovers', 'lost', 'any').exactOptional(),
  lossPercentMax: decimal(0, 100).exactOptional(),
});

const faultSchema = z.discriminatedUnion(
  'kind',
  [
    mapping({ kind: z.literal('media-plane-restart'), node: oneOf('edge', 'core') }),
    mapping({ kind: z.literal('nat-rebinding'), home }),
    mapping({ kind: z.literal('loss'), home, percent: decimal(0, 100), seconds: faultSeconds }),
    mapping({ kind: z.literal('turn-credentials-removed'), seconds: faultSeconds.default(10) }),
  ],
  {
    error: (issue) =>
      issue.code === 'invalid_union'
        ? 'must be media-plane-restart, nat-rebinding, loss or turn-credentials-removed'
        : 'must be a mapping of settings',
  },
);

const stepSchema = mapping({
  title,
  nats: section({ A: natKind, B: natKind }),
  calls: limited(callSchema, 'calls', CALLS_MAX),
  fault: faultSchema.exactOptional(),
});

const fileSchema = mapping({
  title,
  talkSeconds: decimal(TALK_SECONDS_MIN, 3600).default(7),
  mediaPlane: mapping({
    ng: ngAddress(),
    token: token().exactOptional(),
    command,
    directions: mapping({ outside: text(1, 64), inside: text(1, 64) }),
    offer: ngKeys,
    answer: ngKeys,
  }).exactOptional(),
  turn: mapping({
    server: ipv4Address('must be ADDRESS:PORT with an IPv4 address'),
    username: text(1, 127),
    password: text(1, 256),
    command,
  }).exactOptional(),
  steps: limited(stepSchema, 'steps', STEPS_MAX),
});

export const scenarioSchema: z.ZodType<Scenario> = fileSchema.transform(complete);

/** A phone in the office stands behind the B2BUA: no ICE, no keys. */
function party(written: Partial<Party> & Pick<Party, 'place'>): Party {
  const isInside = written.place === 'desk';
  const ice = written.ice ?? (isInside ? 'none' : 'full');
  const encryption = written.encryption ?? (isInside ? 'none' : 'AES_CM_128_HMAC_SHA1_80');
  return { ...written, ice, encryption, turn: written.turn ?? ice !== 'none' };
}

function complete({ steps, ...rest }: z.output<typeof fileSchema>): Scenario {
  // Another plane keeps no records that the lab could read.
  const evidence = rest.mediaPlane ? 'any' : 'verified';
  return { ...rest, steps: steps.map((step) => completeStep(step, evidence)) };
}

function completeStep(step: z.output<typeof stepSchema>, evidence: CallPlan['evidence']): Step {
  const fault: Fault | undefined = step.fault;
  const lossPercentMax = fault?.kind === 'loss' ? LOSS_PERCENT_MAX_AFTER_LOSS : LOSS_PERCENT_MAX;
  return {
    ...step,
    calls: step.calls.map((call) => ({
      ...{ title: `${call.from.place} → ${call.to.place}`, evidence, lossPercentMax },
      ...(fault ? { afterFault: 'unharmed' as const } : {}),
      ...call,
    })),
  };
}

function limited<Item extends z.ZodType>(item: Item, what: string, max: number): z.ZodArray<Item> {
  const error = `must be a list of 1 to ${max} ${what}`;
  return listOf(item, `1 to ${max} ${what}`).min(1, { error }).max(max, { error });
}

function ngAddress(): z.ZodString {
  const error =
    'must be udp:ADDRESS:PORT with an IPv4 address, or the http or https URL of a POST /ng without a user';
  return z.string({ error }).refine(isNgAddress, { error });
}

function isNgAddress(value: string): boolean {
  if (value.startsWith('udp:')) return isIpv4Address(value.slice('udp:'.length));
  // Of a URL with a user, fetch makes an error.
  return /^https?:\/\/[^@]*$/.test(value) && URL.canParse(value);
}

function ipv4Address(error: string): z.ZodString {
  return z.string({ error }).refine(isIpv4Address, { error });
}

/** The lab's places have IPv4 alone. */
function isIpv4Address(value: string): boolean {
  return parseSocketAddress(value, 1)?.address.includes(':') === false;
}

function isNgValue(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || Number.isSafeInteger(value)) return true;
  if (typeof value !== 'object' || value === null || depth === 0) return false;
  return Object.values(value).every((inner) => isNgValue(inner, depth - 1));
}
