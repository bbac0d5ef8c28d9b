package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// bench has the parts that all rows share: the storage, a Redis of each kind, and links.
type bench struct {
	o         *options
	processes []*process
	endpoint  string
	redis     map[string]*store // by its kind
	key       string            // an operator's
}

// store is one Redis with links for the gateway and records for the floors.
type store struct {
	nodes     []*process
	addresses []string
	// operator is the API address of the gateway that was started last on this Redis.
	operator string
	tokens   map[string][]string // by kind of links
	files    map[string]string   // the same, as wrk reads them
}

// close ends every server, also after an error in the middle.
func (b *bench) close() {
	for _, p := range b.processes {
		p.stop()
	}
}

// setUp starts the storage and stores the objects. The caller must close the benchmark. After
// an error, setUp has closed it.
func setUp(ctx context.Context, o *options) (_ *bench, err error) {
	b := &bench{o: o, redis: map[string]*store{}, key: "an-operator-of-the-benchmark"}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	storage, endpoint, err := startStorage(ctx, o)
	if err != nil {
		return nil, err
	}
	b.processes, b.endpoint = append(b.processes, storage), endpoint
	if err := b.putObjects(ctx); err != nil {
		return nil, fmt.Errorf("put the objects: %w", err)
	}
	return b, nil
}

// storeOf returns the Redis of a kind and starts it for the first row. Rows share a Redis, so
// that a machine with two cores needs only one of each kind; only one row runs at a time.
func (b *bench) storeOf(ctx context.Context, kind string) (*store, error) {
	if s := b.redis[kind]; s != nil {
		return s, nil
	}
	nodes, addresses, err := startRedis(ctx, b.o, kind)
	b.processes = append(b.processes, nodes...)
	if err != nil {
		return nil, err
	}
	b.redis[kind] = &store{nodes: nodes, addresses: addresses, tokens: map[string][]string{}, files: map[string]string{}}
	return b.redis[kind], nil
}

// startFloor starts a floor on the core of the gateway: a program that does only a part of a
// click, so that its cost is a lower bound.
func (b *bench) startFloor(ctx context.Context, s *store, kind string) (_ *process, address string, _ error) {
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	p, err := launch(b.o, b.o.core, b.o.floor, nil, "-kind", kind, "-listen", address,
		"-redis", strings.Join(s.addresses, ","), "-s3", b.endpoint)
	if err != nil {
		return nil, "", err
	}
	return p, address, p.await(ctx, listening(address))
}

// programOf returns the program of a row that measures Keyhole. Rows of both commits run in
// the same rounds, because a machine changes its speed within minutes.
func (b *bench) programOf(r *row) string {
	if r.before {
		return b.o.before
	}
	return b.o.keyhole
}

// startGateway starts Keyhole in its default configuration, except for the row's
// redirect.object_check. The load is its trusted proxy and states the client addresses.
func (b *bench) startGateway(ctx context.Context, s *store, program, check string) (_ *process, address string,
	_ error,
) {
	dir, err := os.MkdirTemp(b.o.scratch, "gateway")
	if err != nil {
		return nil, "", err
	}
	address, err = freeAddress()
	if err != nil {
		return nil, "", err
	}
	operator, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	config, secret := filepath.Join(dir, "keyhole.yaml"), filepath.Join(dir, "secret")
	text := b.configurationFor(s, address, operator, secret, check)
	err = errors.Join(os.WriteFile(config, []byte(text), 0o600), os.WriteFile(secret, []byte(secretKey), 0o600))
	if err != nil {
		return nil, "", err
	}
	p, err := launch(b.o, b.o.core, program, strings.Fields(b.o.env), "serve", "--config", config)
	if err != nil {
		return nil, "", err
	}
	s.operator = operator
	return p, address, p.await(ctx, ready(operator))
}

// configurationFor returns the configuration of a gateway that listens at two addresses and
// reads the secret of the storage from a file. Several addresses of Redis are a cluster.
func (b *bench) configurationFor(s *store, address, operator, secretFile, check string) string {
	mode := "single"
	if len(s.addresses) > 1 {
		mode = "cluster"
	}
	return fmt.Sprintf(configuration, address, address, operator, hashOf(b.key), mode,
		strings.Join(s.addresses, `", "`), b.endpoint, region, bucket, accessKey, secretFile, check)
}

// configuration is the smallest configuration of the gateway. The load is its trusted proxy,
// so that requests can state addresses of clients.
const configuration = `
public: { listen: %q, url: "http://%s", trusted_proxies: ["127.0.0.0/8"] }
operator:
  listen: %q
  requests_per_minute: 0 # thousands of links are issued first
  keys: [{ name: bench, sha256: %q, can: [issue, read, revoke] }]
pages: { organization: Benchmark }
redis: { mode: %s, addresses: ["%s"] }
storage:
  - name: bench
    endpoint: %q
    region: %q
    path_style: true
    buckets: [%q]
    access_key_id: %q
    secret_access_key_file: %q
redirect: { object_check: %s }
`

// askers is the number of concurrent requests before the measurements. More would find no
// processor time: the gateway has one core.
const askers = 16

// askEach requests every link once and compares the answers. It checks that the service
// is right before its speed is measured, and fills its caches.
func (b *bench) askEach(ctx context.Context, r *row, address string, tokens []string) error {
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: askers},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	return each(tokens, func(i int, token string) error {
		request, err := r.firstRequest(ctx, address, token, i)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		if err := answer.Body.Close(); err != nil {
			return err
		}
		return r.checkAnswer(answer, i)
	})
}

// firstRequest returns the request for link i. Rows with forwarded get an address for each
// link, because the gateway limits the failed attempts from one address.
func (r *row) firstRequest(ctx context.Context, address, token string, i int) (*http.Request, error) {
	var body strings.Reader
	if r.method == http.MethodPost {
		body.Reset("confirm=1")
	}
	request, err := http.NewRequestWithContext(ctx, r.method, "http://"+address+"/"+token, &body)
	if err != nil {
		return nil, err
	}
	if body.Len() > 0 {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.forwarded {
		request.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255))
	}
	if r.page {
		request.Header.Set("Accept", acceptPage)
		request.Header.Set("Accept-Language", acceptLanguage)
	}
	return request, nil
}

// checkAnswer returns an error unless the answer has the row's status and, if Keyhole
// redirects, leads to the object of link i. Floors redirect to a stored URL.
func (r *row) checkAnswer(answer *http.Response, i int) error {
	if answer.StatusCode != r.status {
		return fmt.Errorf("answered %s, not %d", answer.Status, r.status)
	}
	location := answer.Header.Get("Location")
	if r.floor == "" && !r.refuses() && !strings.Contains(location, objectKey(i)+"?X-Amz-") {
		return errors.New("redirected elsewhere")
	}
	return nil
}

// each calls do for every token, several at once, and returns the first error. An asker stops
// at an error; the others finish their tokens.
func each(tokens []string, do func(i int, token string) error) error {
	var (
		asking sync.WaitGroup
		once   sync.Once
		failed error
	)
	for asker := range askers {
		asking.Go(func() {
			for i := asker; i < len(tokens); i += askers {
				if err := do(i, tokens[i]); err != nil {
					once.Do(func() { failed = err })
					return
				}
			}
		})
	}
	asking.Wait()
	return failed
}
