import type { EndedCall } from './ended-call.ts';

/** What the core reports as it happens. Never called per packet. */
export interface B2buaEvents {
  callEnded(call: EndedCall): void;
  /** A key or flag of a command that means nothing here. The same one may be reported again. */
  unknownFlag(text: string): void;
}
