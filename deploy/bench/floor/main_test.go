package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
)

// store starts a Redis in this process and returns it with a client of it.
func store(t *testing.T) (*miniredis.Miniredis, redis.UniversalClient) {
	t.Helper()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, client
}

// ask returns the answer of a handler to GET /TOKEN.
func ask(handler echo.HandlerFunc, token string) *httptest.ResponseRecorder {
	e := echo.New()
	e.GET("/:token", handler)
	recorder := httptest.NewRecorder()
	e.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/"+token, nil))
	return recorder
}

// want checks the status and the Location of an answer.
func want(t *testing.T, got *httptest.ResponseRecorder, status int, location string) {
	t.Helper()
	if got.Code != status || got.Header().Get("Location") != location {
		t.Errorf("status %d to %q, want %d to %q", got.Code, got.Header().Get("Location"), status, location)
	}
}

func TestRedirectOnly(t *testing.T) {
	want(t, ask(redirectOnly, "abc"), http.StatusFound, "https://reports.s3.us-east-1.amazonaws.com/exports/abc")
}

// Both ways to ask for the URL give the same answers.
func TestGetAndRedirect(t *testing.T) {
	for name, handler := range map[string]func(redis.UniversalClient) echo.HandlerFunc{
		"get": getAndRedirect, "pipelined": pipelinedGet,
	} {
		t.Run(name, func(t *testing.T) {
			server, client := store(t)
			if err := server.Set("abc", "https://example.com/object"); err != nil {
				t.Fatal(err)
			}
			click := handler(client)
			want(t, ask(click, "abc"), http.StatusFound, "https://example.com/object")
			want(t, ask(click, "missing"), http.StatusNotFound, "")
			server.Close()
			want(t, ask(click, "abc"), http.StatusServiceUnavailable, "")
		})
	}
}

// Concurrent requests that share pipelines get their own answers.
func TestPipelinedGetKeepsAnswersApart(t *testing.T) {
	server, client := store(t)
	const tokens = 100
	for i := range tokens {
		if err := server.Set(strconv.Itoa(i), "https://example.com/"+strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	click := pipelinedGet(client)
	var asking sync.WaitGroup
	for i := range tokens {
		asking.Go(func() {
			want(t, ask(click, strconv.Itoa(i)), http.StatusFound, "https://example.com/"+strconv.Itoa(i))
		})
	}
	asking.Wait()
}

// put stores a record of the obvious version.
func put(t *testing.T, server *miniredis.Miniredis, token string, record Record) {
	t.Helper()
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Set("json:"+token, string(text)); err != nil {
		t.Fatal(err)
	}
}

func TestObvious(t *testing.T) {
	server, client := store(t)
	presigner := s3.NewPresignClient(s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:7070"), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "a-secret-of-the-test", ""),
	}))
	click := obvious(client, presigner)
	put(t, server, "live", Record{Bucket: "reports", Key: "a/b.csv", Expires: time.Now().Add(time.Hour)})
	put(t, server, "ended", Record{Bucket: "reports", Key: "a/b.csv", Expires: time.Now().Add(-time.Hour)})
	if err := server.Set("json:broken", "{"); err != nil {
		t.Fatal(err)
	}

	got := ask(click, "live")
	location, err := url.Parse(got.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Code != http.StatusFound || location.Host != "127.0.0.1:7070" || location.Path != "/reports/a/b.csv" {
		t.Errorf("status %d to %s%s", got.Code, location.Host, location.Path)
	}
	if lifetime := location.Query().Get("X-Amz-Expires"); lifetime != "30" {
		t.Errorf("the URL is valid for %q seconds, want 30", lifetime)
	}
	server.CheckGet(t, "count:live", "1")

	want(t, ask(click, "ended"), http.StatusGone, "")
	want(t, ask(click, "missing"), http.StatusNotFound, "")
	want(t, ask(click, "broken"), http.StatusInternalServerError, "")
	if server.Exists("count:ended") || server.Exists("count:missing") {
		t.Error("a click without a redirect was counted")
	}
	server.Close()
	want(t, ask(click, "live"), http.StatusServiceUnavailable, "")
}

func TestServeRefusesAnotherKind(t *testing.T) {
	err := serve("other", "127.0.0.1:0", []string{"127.0.0.1:1"}, "http://127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "redirect, get, pipelined or obvious") {
		t.Errorf("error %v", err)
	}
}

// Every kind gets as far as listening, and reports an address that it cannot have.
func TestServeListens(t *testing.T) {
	for _, kind := range []string{"redirect", "get", "pipelined", "obvious"} {
		if err := serve(kind, "127.0.0.1:-1", []string{"127.0.0.1:1"}, "http://127.0.0.1:1"); err == nil {
			t.Errorf("%s: it listened at a port that does not exist", kind)
		}
	}
}

// Requests that wait while a pipeline runs go into the next one, up to its limit.
func TestDrainTakesWhatWaits(t *testing.T) {
	server, client := store(t)
	if err := server.Set("abc", "https://example.com"); err != nil {
		t.Fatal(err)
	}
	queue := make(chan *asked, most+10)
	next := func() *asked { return &asked{key: "abc", done: make(chan struct{})} }
	for range most + 10 {
		queue <- next()
	}
	first := next()
	drain(client, first, queue)
	<-first.done
	if first.err != nil || first.value != "https://example.com" {
		t.Errorf("the first got %q, %v", first.value, first.err)
	}
	if left := len(queue); left != 11 {
		t.Errorf("%d are left, want 11: a pipeline has %d", left, most)
	}
}
