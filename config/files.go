package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// files reads the secrets and checks the certificates. It is separate from validate,
// because validate reads no files.
func (f *findings) files(c *Config, all settingsIndex, read fileReader) []Warning {
	r := &filesRead{findings: f, read: read}
	for _, s := range all.list {
		if !isSecret(s.value.Type()) {
			continue
		}
		if file := all.byPath[s.twin]; file.value.String() != "" {
			r.secret(file.path, file.value.String(), s)
		}
	}
	r.pair("public.tls", c.Public.TLS.CertFile, c.Public.TLS.KeyFile)
	r.acmeSecret("public.tls.acme.secret_file", c.Public.TLS.ACME.SecretFile)
	r.pair("operator.tls", c.Operator.TLS.CertFile, c.Operator.TLS.KeyFile)
	r.pair("redis.tls", c.Redis.TLS.CertFile, c.Redis.TLS.KeyFile)
	r.authorities("redis.tls.ca_file", c.Redis.TLS.CAFile)
	r.authorities("operator.oidc.ca_file", c.Operator.OIDC.CAFile)
	for i, s := range c.Storage {
		r.authorities(fmt.Sprintf("storage[%d].ca_file", i), s.CAFile)
	}
	r.logo("pages.logo_file", c.Pages.LogoFile)
	return r.warnings
}

type filesRead struct {
	*findings
	read     fileReader
	warnings []Warning
}

// contents reads the file that the key at path names, and reports whether that succeeded.
func (r *filesRead) contents(path, file string, limit int64) ([]byte, fs.FileMode, bool) {
	data, mode, err := r.read(file, limit)
	if err != nil {
		r.unreadable(path, file, err)
		return nil, 0, false
	}
	return data, mode, true
}

// unreadable reports a file that cannot be read. It does not show the name of a missing
// file, because operators sometimes write the secret instead of the file name.
func (r *filesRead) unreadable(path, file string, err error) {
	for _, nowhere := range []error{fs.ErrNotExist, syscall.ENAMETOOLONG, syscall.ENOTDIR, fs.ErrInvalid} {
		if errors.Is(err, nowhere) {
			r.spoil(path, r.locate(path),
				"the file cannot be read: %s. Its name is not shown, because it may be a secret", reason(err))
			return
		}
	}
	r.spoil(path, r.locate(path), "%s cannot be read: %s", quote(file), reason(err))
}

// secret reads a secret into its setting, at the start and at each reload. Two other readers
// have other rules: the signer reads the storage's secret again whenever its file changes,
// by ReadSecretFile, and the operator's commands read files that users name, without a
// setting for the error.
func (r *filesRead) secret(path, file string, into setting) {
	data, mode, err := r.read(file, maxSecret)
	if err != nil {
		r.unreadable(path, file, err)
		return
	}
	r.private(path, file, mode)
	// Editors and echo end a file with a line break. Only this last line break is not
	// part of the secret.
	text := string(data)
	if line, ok := strings.CutSuffix(text, "\n"); ok {
		text = strings.TrimSuffix(line, "\r")
	}
	if text == "" {
		r.spoil(path, r.locate(path), "%s is empty: write the secret into it", quote(file))
		return
	}
	if err := setText(into.value, text); err != nil {
		r.spoil(path, r.locate(path), "%s %s", quote(file), err)
	}
}

// private warns if every user of the machine can read a secret.
func (r *filesRead) private(path, file string, mode fs.FileMode) {
	if mode.IsRegular() && mode.Perm()&0o004 != 0 {
		r.warnings = append(r.warnings, Warning{
			Code: WarnSecretFileMode, Path: path,
			Message: fmt.Sprintf("every user of this machine can read %s: restrict its mode (chmod o-r; in Kubernetes "+
				"defaultMode: 0440)", quote(file)),
		})
	}
}

// pair checks that a certificate and its key can be read and belong together. validate
// checks that both or neither are set.
func (r *filesRead) pair(section, certFile, keyFile string) {
	var cert, key []byte
	certOK, keyOK := false, false
	if certFile != "" {
		cert, _, certOK = r.contents(section+".cert_file", certFile, maxFile)
	}
	if keyFile != "" {
		var mode fs.FileMode
		if key, mode, keyOK = r.contents(section+".key_file", keyFile, maxFile); keyOK {
			r.private(section+".key_file", keyFile, mode)
		}
	}
	if !certOK || !keyOK {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		path := section + ".cert_file"
		r.spoil(path, r.locate(path), "%s cannot be used with the key in %s: %s", quote(certFile), quote(keyFile),
			strings.TrimPrefix(err.Error(), "tls: "))
	}
}

// acmeSecret checks the secret that encrypts certificates. The server reads the file again.
func (r *filesRead) acmeSecret(path, file string) {
	if file == "" {
		return
	}
	data, mode, ok := r.contents(path, file, maxSecret)
	if !ok {
		return
	}
	r.private(path, file, mode)
	if _, err := parseACMESecret(data); err != nil {
		r.spoil(path, r.locate(path), "%s %s", quote(file), err)
	}
}

func (r *filesRead) authorities(path, file string) {
	if file == "" {
		return
	}
	data, _, ok := r.contents(path, file, maxFile)
	if ok && !x509.NewCertPool().AppendCertsFromPEM(data) {
		r.spoil(path, r.locate(path), "%s contains no PEM certificate", quote(file))
	}
}

// logo checks the logo of the recipients' pages. The server reads the file again with
// ReadLogo, which has the same rules.
func (r *filesRead) logo(path, file string) {
	if file == "" {
		return
	}
	data, _, ok := r.contents(path, file, maxLogo)
	if !ok {
		return
	}
	if _, err := parseLogo(data); err != nil {
		r.spoil(path, r.locate(path), "%s %s", quote(file), err)
	}
}
