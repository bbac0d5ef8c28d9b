package main

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/gateway"
	"keyhole/gateway/client"
)

// defaultOperatorURL is where serve and demo listen for operators by default.
const defaultOperatorURL = "http://127.0.0.1:8081"

// operatorFlags say where the service is and which key to show it.
type operatorFlags struct {
	url     string
	keyFile string
}

// add adds the flags to a command.
func (f *operatorFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "operator-url", "", "the service's operator address (default $KEYHOLE_OPERATOR_URL or "+defaultOperatorURL+")")
	cmd.Flags().StringVar(&f.keyFile, "key-file", "", "file with the operator key (default: the key in $KEYHOLE_KEY)")
}

// client returns a client with the key of the flags or the environment.
func (f *operatorFlags) client(world *surroundings) (*client.Client, error) {
	key := world.getenv("KEYHOLE_KEY")
	if f.keyFile != "" {
		text, err := os.ReadFile(f.keyFile)
		if err != nil {
			return nil, usage(fmt.Sprintf("the key file cannot be read: %v", err), "give a readable file with one operator key by --key-file")
		}
		key = strings.TrimSpace(string(text))
	}
	if key == "" {
		return nil, usage("no operator key", "set KEYHOLE_KEY to an operator key, or name a file with one by --key-file")
	}
	return f.connect(world, key)
}

// open returns a client, and the id of the link that arg names.
func (f *operatorFlags) open(world *surroundings, arg string) (*client.Client, string, error) {
	id, err := parseLinkID(arg)
	if err != nil {
		return nil, "", err
	}
	c, err := f.client(world)
	return c, id, err
}

// connect returns a client with the address of the flags or the environment.
func (f *operatorFlags) connect(world *surroundings, key string) (*client.Client, error) {
	c, err := client.New(cmp.Or(f.url, world.getenv("KEYHOLE_OPERATOR_URL"), defaultOperatorURL), key)
	if err != nil {
		return nil, usage(err.Error(), "set --operator-url or KEYHOLE_OPERATOR_URL to the operator address")
	}
	return c, nil
}

// parseLinkID reads an id, or the URL of a link, which is hashed here: the token
// never leaves this process.
func parseLinkID(arg string) (string, error) {
	if _, ok := gateway.ParseID(arg); ok {
		return arg, nil
	}
	token := arg
	if u, err := url.Parse(arg); err == nil && u.Host != "" {
		token = strings.TrimPrefix(u.EscapedPath(), "/")
	}
	if gateway.ValidToken(token) {
		return gateway.IDOf(token).String(), nil
	}
	// The argument is not repeated: a part of it may be a token.
	return "", usage("that is neither the id nor the URL of a link",
		"an id has 26 letters and digits (keyhole list shows them); a URL ends in the 22 characters of its token")
}
