/** What every store must do, whatever database is behind it. */
import { describe } from '@jest/globals';
import { describeAccounts } from './accounts.contract.js';
import { describeDocuments } from './documents.contract.js';
import { describeExecutionStates } from './execution-states.contract.js';
import { describeExecutionUpkeep } from './execution-upkeep.contract.js';
import { describeExecutions } from './executions.contract.js';
import type { StoreContractHarness } from './fixtures.js';
import { describeLabelSettings } from './label-settings.contract.js';
import { describeNodes } from './nodes.contract.js';
import { describeOpening } from './opening.contract.js';
import { describeTrust } from './trust.contract.js';

export type { StoreContractHarness } from './fixtures.js';

export function describeStoreContract(name: string, harness: StoreContractHarness): void {
  describe(`store contract: ${name}`, () => {
    describeOpening(harness);
    describeAccounts(harness);
    describeDocuments(harness);
    describeTrust(harness);
    describeNodes(harness);
    describeLabelSettings(harness);
    describeExecutions(harness);
    describeExecutionUpkeep(harness);
    describeExecutionStates(harness);
  });
}
