// Package batch groups items that arrive at the same time into batches, so that one round
// trip to a server carries several of them. It knows no server and no protocol:
// [Options].Send sends a batch and completes each item. Read [Batcher.Submit] first.
//
// No item waits for others to arrive. The first item is sent at once; items that arrive
// while a batch is being sent form the next batch. So batches are small while traffic is
// light, and grow with the traffic.
package batch
