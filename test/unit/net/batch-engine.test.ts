import { createBatchEngine } from '../../../src/net/batch-engine.ts';
import { describeEngine } from '../../kit/engine-suite.ts';

describeEngine('batch', createBatchEngine);
