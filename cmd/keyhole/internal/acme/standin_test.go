package acme

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// authority is a certificate authority without a network, so that it can run under the
// fake clock of testing/synctest. It does not check signatures; TestOneOrderForTwoGateways
// does that with Pebble.
type authority struct {
	t       *testing.T
	key     *ecdsa.PrivateKey
	life    time.Duration // of its certificates
	offered []string      // types of challenges

	mu       sync.Mutex
	refuse   func(path string) *problem             // nil: nothing is refused
	validate func(kind, token, domain string) error // nil: everything is valid
	requests int                                    // all of them, refused ones too
	accounts map[string]bool                        // by public key
	orders   map[string]*standInOrder               // by path
	asked    []string                               // names of all orders
	issued   []*x509.Certificate                    // in order
	// issue changes a certificate before it is signed; nil: nothing. The key is that of the
	// request unless issue returns another one.
	issue  func(*x509.Certificate) (key any)
	change func(*standInOrder) // every new order; nil: nothing
	header http.Header         // of all answers
	// finalize is the status of orders after their certificate was requested; empty: valid.
	finalize string
}

// problem is a refusal. Status 0 is a network error.
type problem struct {
	status     int
	kind       string
	retryAfter string
}

type standInOrder struct {
	names  []string
	valid  []bool // by name
	status string
	leaf   []byte
}

const standIn = "https://ca.example"

func newAuthority(t *testing.T, life time.Duration) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{
		t: t, key: key, life: life, offered: []string{typeTLS, typeHTTP},
		accounts: map[string]bool{}, orders: map[string]*standInOrder{},
	}
}

// set changes the behaviour while gateways run.
func (a *authority) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// numbers returns how many requests, orders and certificates there were.
func (a *authority) numbers() (requests, orders, issued int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests, len(a.orders), len(a.issued)
}

// RoundTrip answers a request of the client.
func (a *authority) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.requests++
	refuse := a.refuse
	a.mu.Unlock()
	w := httptest.NewRecorder()
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Replay-Nonce", fmt.Sprint("nonce-", time.Now().UnixNano()))
	if refuse != nil {
		if p := refuse(r.URL.Path); p != nil {
			if p.status == 0 {
				return nil, errors.New("connection refused")
			}
			w.Header().Set("Retry-After", p.retryAfter)
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(p.status)
			fmt.Fprintf(w, `{"type":"urn:ietf:params:acme:error:%s","detail":"stand-in"}`, p.kind)
			return w.Result(), nil
		}
	}
	a.answer(w, r)
	return w.Result(), nil
}

// answer is the authority's interface, RFC 8555 section 7.
func (a *authority) answer(w http.ResponseWriter, r *http.Request) {
	var header struct{ JWK json.RawMessage }
	payload := a.payload(r, &header)
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch kind {
	case "dir":
		a.write(w, http.StatusOK, map[string]any{
			"newNonce": standIn + "/nonce", "newAccount": standIn + "/account", "newOrder": standIn + "/neworder",
			"revokeCert": standIn + "/revoke", "keyChange": standIn + "/key",
			"meta": map[string]string{"termsOfService": standIn + "/terms"},
		})
	case "nonce":
	case "account":
		status := http.StatusCreated
		a.set(func() {
			if a.accounts[string(header.JWK)] {
				status = http.StatusOK
			}
			a.accounts[string(header.JWK)] = true
		})
		w.Header().Set("Location", standIn+"/account/1")
		a.write(w, status, map[string]any{"status": "valid"})
	case "neworder":
		a.order(w, payload)
	case "order":
		a.writeOrder(w, http.StatusOK, rest)
	case "authorization":
		a.authorization(w, rest)
	case "challenge":
		a.challenge(w, rest)
	case "finalize":
		a.finalizeOrder(w, rest, payload)
	case "certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		a.set(func() { _ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: a.orders[rest].leaf}) })
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// payload decodes the body of a request, a JWS (RFC 7515).
func (a *authority) payload(r *http.Request, header any) []byte {
	if r.Body == nil || r.Method != http.MethodPost {
		return nil
	}
	var signed struct{ Protected, Payload string }
	if err := json.NewDecoder(r.Body).Decode(&signed); err != nil {
		a.t.Error("the body is no JWS:", err)
	}
	protected, err := base64.RawURLEncoding.DecodeString(signed.Protected)
	if err == nil {
		err = json.Unmarshal(protected, header)
	}
	payload, failed := base64.RawURLEncoding.DecodeString(signed.Payload)
	if err := errors.Join(err, failed); err != nil {
		a.t.Error("the body is no JWS:", err)
	}
	return payload
}

func (a *authority) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		a.t.Error(err)
	}
}

func (a *authority) order(w http.ResponseWriter, payload []byte) {
	var wanted struct{ Identifiers []struct{ Value string } }
	if err := json.Unmarshal(payload, &wanted); err != nil {
		a.t.Error(err)
	}
	var id string
	a.set(func() {
		id = fmt.Sprint(len(a.orders) + 1)
		order := &standInOrder{status: "pending"}
		for _, identifier := range wanted.Identifiers {
			order.names = append(order.names, identifier.Value)
		}
		order.valid = make([]bool, len(order.names))
		a.orders[id] = order
		if a.change != nil {
			a.change(order)
		}
		a.asked = append(a.asked, order.names...)
	})
	a.writeOrder(w, http.StatusCreated, id)
}

func (a *authority) writeOrder(w http.ResponseWriter, status int, id string) {
	answer := map[string]any{"finalize": standIn + "/finalize/" + id}
	a.set(func() {
		var authorizations []string
		for i := range a.orders[id].names {
			authorizations = append(authorizations, fmt.Sprintf("%s/authorization/%s-%d", standIn, id, i))
		}
		answer["status"], answer["authorizations"] = a.orders[id].status, authorizations
		if a.orders[id].leaf != nil {
			answer["certificate"] = standIn + "/certificate/" + id
		}
	})
	w.Header().Set("Location", standIn+"/order/"+id)
	a.write(w, status, answer)
}

// find returns an order and the index of a name. id is that of the order, a hyphen, the index.
func (a *authority) find(id string) (*standInOrder, int) {
	order, text, _ := strings.Cut(id, "-")
	i, err := strconv.Atoi(text)
	if err != nil {
		a.t.Error(err)
	}
	return a.orders[order], i
}

// authorization describes the authorization of one name of an order.
func (a *authority) authorization(w http.ResponseWriter, id string) {
	var challenges []map[string]string
	var status, name string
	a.set(func() {
		order, i := a.find(id)
		if name, status = order.names[i], order.status; order.valid[i] {
			status = "valid"
		}
		for _, kind := range a.offered {
			challenges = append(challenges, map[string]string{
				"type": kind, "url": standIn + "/challenge/" + id + "/" + kind, "token": "token-" + id, "status": "pending",
			})
		}
	})
	a.write(w, http.StatusOK, map[string]any{
		"status": status, "identifier": map[string]string{"type": "dns", "value": name}, "challenges": challenges,
	})
}

// challenge validates a name. An order with an invalid name is invalid.
func (a *authority) challenge(w http.ResponseWriter, path string) {
	id, kind, _ := strings.Cut(path, "/")
	var validate func(kind, token, domain string) error
	var name string
	a.set(func() {
		order, i := a.find(id)
		validate, name = a.validate, order.names[i]
	})
	var err error
	if validate != nil {
		if err = validate(kind, "token-"+id, name); err != nil {
			a.t.Log("not validated:", err)
		}
	}
	a.set(func() {
		order, i := a.find(id)
		switch order.valid[i] = err == nil; {
		case err != nil:
			order.status = "invalid"
		case !slices.Contains(order.valid, false):
			order.status = "ready"
		}
	})
	a.write(w, http.StatusOK, map[string]string{
		"type": kind, "url": standIn + "/challenge/" + path, "token": "token-" + id, "status": "processing",
	})
}

func (a *authority) finalizeOrder(w http.ResponseWriter, id string, payload []byte) {
	var wanted struct{ CSR string }
	if err := json.Unmarshal(payload, &wanted); err != nil {
		a.t.Error(err)
	}
	der, err := base64.RawURLEncoding.DecodeString(wanted.CSR)
	if err != nil {
		a.t.Error(err)
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		a.t.Error(err)
		return
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: request.DNSNames,
		NotBefore: time.Now(), NotAfter: time.Now().Add(a.life),
	}
	key := request.PublicKey
	if a.issue != nil {
		if other := a.issue(template); other != nil {
			key = other
		}
	}
	leaf, err := x509.CreateCertificate(rand.Reader, template, template, key, a.key)
	if err != nil {
		a.t.Error(err)
		return
	}
	parsed, err := x509.ParseCertificate(leaf)
	if err != nil {
		a.t.Error(err)
	}
	a.set(func() {
		a.orders[id].leaf, a.orders[id].status = leaf, cmp.Or(a.finalize, "valid")
		a.issued = append(a.issued, parsed)
	})
	a.writeOrder(w, http.StatusOK, id)
}

// gateway returns a manager that uses the authority.
func (a *authority) gateway(storage Storage, log io.Writer, change func(*Options)) *Manager {
	a.t.Helper()
	o := Options{
		Domains: []string{domain}, DirectoryURL: standIn + "/dir", Secret: bytes.Repeat([]byte{7}, secretBytes),
		Storage: storage, Client: &http.Client{Transport: a}, Logger: newLogger(log),
	}
	if change != nil {
		change(&o)
	}
	m, err := New(o)
	if err != nil {
		a.t.Fatal(err)
	}
	return m
}

// askOver validates challenges at a gateway, as the network of the authority would.
func askOver(m *Manager) func(kind, token, name string) error {
	return func(kind, token, name string) error {
		if kind == typeTLS {
			time.Sleep(challengeRound) // No read must wait: this ClientHelloInfo has no context.
			hello := &tls.ClientHelloInfo{ServerName: name, SupportedProtos: []string{acme.ALPNProto}}
			shown, err := m.Certificate(hello)
			if err == nil && shown.Leaf.DNSNames[0] != name {
				err = fmt.Errorf("a certificate for %v", shown.Leaf.DNSNames)
			}
			return err
		}
		answer := httptest.NewRecorder()
		m.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/.well-known/acme-challenge/"+token, nil))
		if answer.Code != http.StatusOK || !strings.HasPrefix(answer.Body.String(), token+".") {
			return fmt.Errorf("%d %s", answer.Code, answer.Body)
		}
		return nil
	}
}
