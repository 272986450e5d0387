export { type Attenuation, attenuateToken } from './adapters/biscuit/attenuate-token.js';
export { BiscuitIssuer, maxIssuedTokenLength } from './adapters/biscuit/biscuit-issuer.js';
export { BiscuitVerifier, type BiscuitVerifierOptions } from './adapters/biscuit/biscuit-verifier.js';
export { type InspectedBlock, inspectToken, type TokenInspection } from './adapters/biscuit/inspect-token.js';
export { newSigningKey, type SigningKey } from './adapters/biscuit/signing-key.js';
export * from './ports.js';
