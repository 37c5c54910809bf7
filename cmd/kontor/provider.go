package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"kontor/internal/partner"
	"kontor/internal/rail/idcheck/provider"
)

// providerFlags name the identity provider outside.
type providerFlags struct {
	URL        string `name:"url" help:"Base URL of an identity provider, such as https://identity.example.com/v1 (docs/operating.md). Without it the built-in check alone decides." env:"KONTOR_IDENTITY_PROVIDER_URL"`
	Key        string `help:"The provider's API key. In the environment or a file nobody sees it in the list of processes." env:"KONTOR_IDENTITY_PROVIDER_KEY"`
	KeyFile    string `help:"File that holds the provider's API key." env:"KONTOR_IDENTITY_PROVIDER_KEY_FILE" type:"path"`
	Secret     string `help:"The secret that the provider signs its callbacks with: whsec_ and at least 24 bytes in base64." env:"KONTOR_IDENTITY_PROVIDER_SECRET"`
	SecretFile string `help:"File that holds this secret." env:"KONTOR_IDENTITY_PROVIDER_SECRET_FILE" type:"path"`
}

// provider makes the provider that the flags name, or none. It tells all that is wrong at once.
func (f providerFlags) provider(environment string, log *slog.Logger) (*provider.Provider, error) {
	if f == (providerFlags{}) {
		return nil, nil
	}
	if f.URL == "" {
		return nil, errors.New("the identity provider has a key or a secret, but no address: --identity-provider-url")
	}
	key, keyErr := given("--identity-provider-key", f.Key, f.KeyFile)
	secret, secretErr := given("--identity-provider-secret", f.Secret, f.SecretFile)
	if err := errors.Join(keyErr, secretErr); err != nil {
		return nil, err
	}
	return provider.New(provider.Config{
		URL: f.URL, Key: key, Secret: secret, Production: environment == string(partner.Production), Log: log,
	})
}

// given reads a secret that stands in a flag, a variable or a file, in one of them only.
func given(name, text, file string) (string, error) {
	if (text == "") == (file == "") {
		return "", fmt.Errorf("the identity provider needs %s or %s-file, and not both", name, name)
	}
	if file == "" {
		return text, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(content)), nil
}
