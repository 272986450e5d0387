import { describeWallsPastTheRealm } from './past-the-realm.contract.js';

describeWallsPastTheRealm('container');
