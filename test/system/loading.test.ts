import { inject } from 'vitest';
import { loading } from './suites/loading';

for (const target of inject('targets')) loading(target);
