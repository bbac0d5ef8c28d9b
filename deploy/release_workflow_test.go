package deploy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// releaseWorkflow is the part of the workflow that decides who could abuse it.
type releaseWorkflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Environment string
		Permissions map[string]string
		Steps       []struct {
			Uses, Run string
			With      map[string]any
		}
	}
}

// The job that signs and publishes runs no code of the repository, and the others cannot
// sign, write or be changed by text from outside.
func TestReleaseWorkflowIsHardToAbuse(t *testing.T) {
	t.Parallel()
	var workflow releaseWorkflow
	readYAML(t, "../.github/workflows/release.yml", &workflow, false)
	if workflow.Permissions == nil || len(workflow.Permissions) != 0 {
		t.Errorf("every job has the permissions %v", workflow.Permissions)
	}
	pinned := regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	for name, job := range workflow.Jobs {
		if job.Permissions == nil {
			t.Errorf("the job %s states no permissions", name)
		}
		writes := false
		for _, access := range job.Permissions {
			writes = writes || access != "read"
		}
		if writes && job.Environment == "" {
			t.Errorf("nobody approves what the job %s writes", name)
		}
		for _, step := range job.Steps {
			if step.Uses != "" && !pinned.MatchString(step.Uses) {
				t.Errorf("%s: %s is not pinned to a commit", name, step.Uses)
			}
			if strings.Contains(step.Run, "${{") {
				t.Errorf("%s puts an expression into a command: %s", name, step.Run)
			}
			checkout := strings.HasPrefix(step.Uses, "actions/checkout@")
			if checkout && step.With["persist-credentials"] != false {
				t.Errorf("%s leaves the token to every later step", name)
			}
			if writes && (checkout || strings.Contains(step.Run, "deploy/") || strings.Contains(step.Run, "go ")) {
				t.Errorf("%s may write and runs code of the repository: %s%s", name, step.Uses, step.Run)
			}
		}
	}
}

// A release is built by the Go of the image, whose version someone keeps current.
func TestReleaseWorkflowBuildsWithGoOfTheImage(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`FROM golang:([0-9.]+)-`).FindStringSubmatch(string(read(t, "../Dockerfile")))
	if version == nil {
		t.Fatal("the Dockerfile names no version of Go")
	}
	var workflow releaseWorkflow
	readYAML(t, "../.github/workflows/release.yml", &workflow, false)
	var found []any
	for _, step := range workflow.Jobs["build"].Steps {
		if strings.HasPrefix(step.Uses, "actions/setup-go@") {
			found = append(found, step.With["go-version"])
		}
	}
	if !slices.Equal(found, []any{any(version[1])}) {
		t.Errorf("the workflow builds with %v, the image with %s", found, version[1])
	}
}
