/** The driver contract, on the drivers that this Node has. */
import { describe, it } from 'vitest';
import { contract, driversHere } from './support/contract';
import { temporaryFolder } from './support/folder';

describe.each(driversHere())('%s', (driver) => {
  for (const { name, check } of contract) it(name, () => check(driver, temporaryFolder()));
});
