/** `POST /api/turn/relay-evidence`: what other nodes ask of a call's relayed addresses. */
import type { Hono } from 'hono';
import { z } from 'zod';
import type { AdminSource } from './source.ts';

/** Relayed addresses of one call, and room to spare. */
export const EVIDENCE_ADDRESSES_MAX = 64;
/** The longest transport address, IPv6 in brackets, has 47. */
const ADDRESS_CHARACTERS_MAX = 64;

const bodySchema = z.object({
  addresses: z.array(z.string().max(ADDRESS_CHARACTERS_MAX)).max(EVIDENCE_ADDRESSES_MAX),
});

/** Answers `{ relays }` with an entry for each address that is ours; what is no transport address is nobody's. */
export function addRelayEvidenceRoute(app: Hono, source: AdminSource): void {
  app.post('/api/turn/relay-evidence', async (c) => {
    const body = bodySchema.safeParse(await c.req.json().catch(() => undefined));
    if (body.success) return c.json({ relays: await source.relayEvidence(body.data.addresses) });
    const rule = `{"addresses": […]} with at most ${EVIDENCE_ADDRESSES_MAX} transport addresses`;
    return c.json({ error: `the body must be JSON as ${rule}` }, 400);
  });
}
