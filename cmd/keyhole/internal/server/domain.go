package server

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/admission"
)

// operatorKeys returns the keys that admit operators. The configuration has checked the
// hashes; they are checked again, because a hash that is cut short must never admit anyone.
func operatorKeys(cfg *config.Config) ([]admission.Key, error) {
	keys := make([]admission.Key, 0, len(cfg.Operator.Keys))
	for _, k := range cfg.Operator.Keys {
		key := admission.Key{
			Name: k.Name, DisplayName: k.DisplayName, Can: command.Convert[gateway.Action](k.Can),
			Objects: command.Convert[gateway.Pattern](k.Objects), MaxExpiry: k.MaxExpiry,
		}
		sum, err := hex.DecodeString(k.SHA256)
		if err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("operator key %s: sha256 is not a SHA-256 in hexadecimal digits", k.Name)
		}
		copy(key.SHA256[:], sum)
		keys = append(keys, key)
	}
	return keys, nil
}

// policyOf returns the policy for links of the configuration. The domain knows no configuration.
func policyOf(cfg *config.Config) gateway.Policy {
	return gateway.Policy{
		MaxExpiry: cfg.Policy.MaxExpiry,
		Caps: gateway.Caps{
			Sensitive:    cfg.Policy.Caps.Sensitive,
			NotStated:    cfg.Policy.Caps.NotStated,
			NotSensitive: cfg.Policy.Caps.NotSensitive,
		},
		Presets: map[string]time.Duration{
			gateway.PresetHandoff:         cfg.Policy.Presets.Handoff,
			gateway.PresetTroubleshooting: cfg.Policy.Presets.Troubleshooting,
			gateway.PresetBusiness:        cfg.Policy.Presets.Business,
			gateway.PresetExtended:        cfg.Policy.Presets.Extended,
		},
		PassphraseMin:    cfg.Policy.PassphraseMin,
		SensitiveObjects: command.Convert[gateway.Pattern](cfg.Policy.SensitiveObjects),
	}
}
