/**
 * Ledgers, as samples for the syntax tests.
 */
@Deprecated
package org.example.ledger;
