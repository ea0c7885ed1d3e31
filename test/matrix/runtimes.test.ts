/** The core of the system tests on every runtime of the matrix. */
import { describe, inject } from 'vitest';
import { listenerFlow } from '../system/suites/listener';
import { loading } from '../system/suites/loading';

describe.each(inject('targets'))('$name', (target) => {
  loading(target);
  listenerFlow(target);
});
