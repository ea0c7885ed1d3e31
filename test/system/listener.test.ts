import { inject } from 'vitest';
import { listenerFlow } from './suites/listener';

for (const target of inject('targets')) listenerFlow(target);
