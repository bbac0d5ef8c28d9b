// Package batch groups items that arrive at the same time into batches, so that one
// round trip to a server carries several of them. It knows no server and no
// protocol: its user sends a batch and completes each item.
//
// No item waits for others to arrive. The first one is sent at once; items that
// arrive while a batch is being sent form the next one. So batches are small while
// traffic is light, and grow with it.
package batch
