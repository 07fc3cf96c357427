/** Which engine works here. */
import { createBatchEngine } from './batch-engine.ts';
import { createDgramEngine } from './dgram-engine.ts';
import { ENGINE_COUNTER_NAMES, type Engine, type EngineOptions, EngineUnavailableError } from './engine.ts';

export interface EngineChoice {
  readonly kind: Engine['kind'];
  /** Why the faster one was not taken, one line; undefined where it was, or was not wanted. */
  readonly fallbackReason: string | undefined;
}

/**
 * Tries what is wanted by making an engine and throwing it away.
 * @throws EngineUnavailableError where `batch` is wanted by name and does not work
 */
export function chooseEngine(wanted: 'auto' | 'batch' | 'dgram'): EngineChoice {
  if (wanted === 'dgram') return { kind: 'dgram', fallbackReason: undefined };
  try {
    const counters = new Float64Array(ENGINE_COUNTER_NAMES.length);
    createBatchEngine({
      endpoints: 1,
      counters,
      listenerBufferBytes: 0,
      relayBufferBytes: 0,
      pauseMicrosecondsMax: 0,
    }).stop();
    return { kind: 'batch', fallbackReason: undefined };
  } catch (error) {
    if (!(error instanceof EngineUnavailableError) || wanted === 'batch') throw error;
    return { kind: 'dgram', fallbackReason: error.message };
  }
}

export function createEngine(kind: Engine['kind'], options: EngineOptions): Engine {
  return kind === 'batch' ? createBatchEngine(options) : createDgramEngine(options);
}
