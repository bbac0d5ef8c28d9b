package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// setUpFakes sets up a benchmark whose programs are fakes.
func setUpFakes(t *testing.T, o *options) *bench {
	t.Helper()
	b, err := setUp(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

// TestObjectKey has keys of about the usual length, all different, below 40 prefixes.
func TestObjectKey(t *testing.T) {
	seen, teams := map[string]bool{}, map[string]bool{}
	for i := range 5000 {
		key := objectKey(i)
		seen[key], teams[path.Dir(key)] = true, true
		if len(key) < 45 || len(key) > 60 {
			t.Errorf("%s has %d bytes", key, len(key))
		}
	}
	if len(seen) != 5000 || len(teams) != 40 {
		t.Errorf("%d keys below %d prefixes", len(seen), len(teams))
	}
}

// TestMadeUp has tokens in the form of Keyhole's, with all letters of their alphabet.
func TestMadeUp(t *testing.T) {
	form := regexp.MustCompile(`^[1-9A-HJ-NP-Za-km-z]{22}$`)
	seen, letters := map[string]bool{}, map[rune]bool{}
	for range 200 {
		token := madeUp()
		seen[token] = true
		if !form.MatchString(token) {
			t.Errorf("%q is no token", token)
		}
		for _, r := range token {
			letters[r] = true
		}
	}
	if len(seen) != 200 || len(letters) != 58 {
		t.Errorf("%d tokens of %d letters", len(seen), len(letters))
	}
}

// TestHashOf hashes a key as the configuration has it.
func TestHashOf(t *testing.T) {
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, B.1
	if got := hashOf("abc"); got != want {
		t.Errorf("got %s", got)
	}
}

// TestFill makes the links of each kind once and writes them as wrk reads them.
func TestFill(t *testing.T) {
	o := testOptions(t)
	b := setUpFakes(t, o)
	s := realStore(t, o, inMemory)
	form := regexp.MustCompile(`^[1-9A-Za-z]{22}$`)
	for kind, token := range map[string]*regexp.Regexp{
		linksPlain: regexp.MustCompile(`^\d{22}$`), linksPinned: regexp.MustCompile(`^\d{22}$`),
		linksLimited: regexp.MustCompile(`^\d{22}$`), linksMalformed: regexp.MustCompile(`^favicon\.ico$`),
		linksUnknown: form, linksOfFloors: form, linksRevoked: regexp.MustCompile(`^\d{22}$`),
	} {
		if err := b.fill(t.Context(), s, kind); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		tokens := s.tokens[kind]
		if len(tokens) != o.links {
			t.Errorf("%s: %d links", kind, len(tokens))
		}
		for _, text := range tokens {
			if !token.MatchString(text) {
				t.Errorf("%s: a token is %q", kind, text)
			}
		}
		text, err := os.ReadFile(s.files[kind])
		if err != nil || string(text) != strings.Join(tokens, "\n")+"\n" {
			t.Errorf("%s: the file has %q, %v", kind, text, err)
		}
		file := s.files[kind]
		if err := b.fill(t.Context(), s, kind); err != nil || s.files[kind] != file || !slices.Equal(s.tokens[kind], tokens) {
			t.Errorf("%s: filled again, %v", kind, err)
		}
	}
}

// TestFillFails names the kind of links. A gateway that could not issue them has ended.
func TestFillFails(t *testing.T) {
	o := testOptions(t)
	b := setUpFakes(t, o)
	s := realStore(t, o, inMemory)
	b.o.keyhole = "/nonexistent/keyhole"
	if err := b.fill(t.Context(), s, linksPinned); err == nil || !strings.Contains(err.Error(), "links, pinned") {
		t.Errorf("without the program: %v", err)
	}
	s.nodes[0].stop()
	if err := b.fill(t.Context(), s, linksOfFloors); err == nil || !strings.Contains(err.Error(), "links, of the floors") {
		t.Errorf("without Redis: %v", err)
	}
	b.o.scratch = "/nonexistent"
	if err := b.fill(t.Context(), s, linksUnknown); err == nil {
		t.Error("without a directory for the file: no error")
	}
}

// TestFillFloors writes for each token what the floors read: a presigned URL and a record
// of the same object, which both expire.
func TestFillFloors(t *testing.T) {
	o := testOptions(t)
	b := setUpFakes(t, o)
	s := realStore(t, o, inMemory)
	if err := b.fill(t.Context(), s, linksOfFloors); err != nil {
		t.Fatal(err)
	}
	c := redisClient(t, s.addresses[0])
	for i, token := range s.tokens[linksOfFloors] {
		text, err := c.Get(t.Context(), token).Result()
		if err != nil {
			t.Fatal(err)
		}
		signed, err := url.Parse(text)
		if err != nil || signed.Path != "/"+bucket+"/"+objectKey(i) {
			t.Errorf("link %d leads to %s, %v", i, text, err)
		}
		query := signed.Query()
		if query.Get("X-Amz-Expires") != "86400" || query.Get("X-Amz-Signature") == "" ||
			query.Get("response-content-type") != "application/pdf" ||
			query.Get("response-content-disposition") != `attachment; filename="`+path.Base(objectKey(i))+`"` {
			t.Errorf("link %d has the query %v", i, query)
		}
		var record struct {
			Bucket, Key string
			Expires     time.Time
		}
		text, err = c.Get(t.Context(), "json:"+token).Result()
		if err == nil {
			err = json.Unmarshal([]byte(text), &record)
		}
		if err != nil || record.Bucket != bucket || record.Key != objectKey(i) || time.Until(record.Expires) < 23*time.Hour {
			t.Errorf("the record of link %d is %s, %v", i, text, err)
		}
		for _, key := range []string{token, "json:" + token} {
			if ttl, err := c.TTL(t.Context(), key).Result(); err != nil || ttl <= 0 || ttl > 24*time.Hour {
				t.Errorf("%s expires in %v, %v", key, ttl, err)
			}
		}
	}
	if n, err := c.DBSize(t.Context()).Result(); err != nil || n != int64(2*o.links) {
		t.Errorf("Redis has %d keys, %v", n, err)
	}
}

// TestFillFloorsOnACluster reaches every master.
func TestFillFloorsOnACluster(t *testing.T) {
	o := testOptions(t)
	o.links = 60
	b := setUpFakes(t, o)
	s := realStore(t, o, clusterOf3)
	if err := b.fill(t.Context(), s, linksOfFloors); err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, address := range s.addresses {
		n, err := redisClient(t, address).DBSize(t.Context()).Result()
		if err != nil || n == 0 {
			t.Errorf("%s has %d keys, %v", address, n, err)
		}
		total += n
	}
	if total != int64(2*o.links) {
		t.Errorf("the cluster has %d keys", total)
	}
}

// TestIssueEndsItsGateway issues over a gateway of its own, which does not run while a row
// is measured.
func TestIssueEndsItsGateway(t *testing.T) {
	o := testOptions(t)
	b := setUpFakes(t, o)
	s := realStore(t, o, inMemory)
	tokens, err := b.issue(t.Context(), s, linksPlain)
	if err != nil || len(tokens) != o.links {
		t.Fatalf("%d links, %v", len(tokens), err)
	}
	if err := ready(s.operator)(t.Context()); err == nil {
		t.Error("the gateway still answers")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.issue(ctx, s, linksPlain); err == nil {
		t.Error("links were issued after the end")
	}
}

// TestPutObjects makes the bucket before its objects.
func TestPutObjects(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	b := setUpFakes(t, o)
	b.processes[0].stop()
	if err := b.putObjects(t.Context()); err == nil || !strings.Contains(err.Error(), "CreateBucket") {
		t.Errorf("without the storage: %v", err)
	}
}

// TestKindsOfLinks has every kind that a row asks for.
func TestKindsOfLinks(t *testing.T) {
	known := []string{linksPlain, linksPinned, linksLimited, linksMalformed, linksUnknown, linksRevoked, linksOfFloors}
	for _, r := range rows() {
		if !slices.Contains(known, r.links) {
			t.Errorf("%s asks for links of the kind %q", r.title(), r.links)
		}
		refused := map[string]int{
			linksMalformed: http.StatusNotFound, linksUnknown: http.StatusNotFound, linksRevoked: http.StatusGone,
		}[r.links]
		if r.refuses() != (refused != 0) || r.refuses() && r.status != refused {
			t.Errorf("%s expects the status %d", r.title(), r.status)
		}
	}
}
