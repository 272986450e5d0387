/** What an account may do beyond its own documents. */
export const roles = ['user', 'administrator'] as const;
export type Role = (typeof roles)[number];

/** Who calls, as proved by a token. */
export interface Principal {
  readonly user: string;
  readonly org: string | undefined;
  readonly role: Role;
}

export const isAdministrator = (principal: Principal): boolean => principal.role === 'administrator';

/** Whether `principal` may see and use what `owner` owns. */
export const mayAccess = (principal: Principal, owner: string): boolean =>
  principal.user === owner || isAdministrator(principal);
