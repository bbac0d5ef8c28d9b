package explain

// Message has the texts of a message that tells a recipient about a link. Words in braces
// are placeholders.
type Message struct {
	File       string // instead of the file name, if the page hides it
	Until      string // {end}: when the link stops working
	FromUntil  string // {start}: when it begins to work; {end}
	Once       string // the link can be used one time
	Times      string // {n}: how often it can be used, 2 or more, in digits
	Passphrase string // the recipient needs a passphrase, which the message never contains
}

// MessageIn returns the texts in the language of a link, and in English for another tag. No
// text depends on the plural form of a number above one, so no table of plurals is needed.
// Times are digits in every language, because a message says for each its offset from UTC.
func MessageIn(tag string) Message {
	if m, ok := europeanMessages()[tag]; ok {
		return m
	}
	if m, ok := otherMessages()[tag]; ok {
		return m
	}
	return Message{
		"A file for you", "The link works until {end}.", "The link works from {start} until {end}.",
		"It can be used once.", "It can be used {n} times.", "You need a passphrase, which you get separately.",
	}
}

// europeanMessages returns the texts in the languages with Latin letters, except English. The
// words for link, file and passphrase, and the form of address, are those of the pages, so
// that recipients meet the same words again.
func europeanMessages() map[string]Message {
	return map[string]Message{
		"de": {
			"Eine Datei für Sie", "Der Link ist gültig bis {end}.", "Der Link ist gültig von {start} bis {end}.",
			"Er kann einmal verwendet werden.", "Er kann {n}-mal verwendet werden.",
			"Sie benötigen ein Passwort, das Sie gesondert erhalten.",
		},
		"fr": {
			"Un fichier pour vous", "Le lien est valable jusqu’au {end}.", "Le lien est valable du {start} au {end}.",
			"Il ne peut être utilisé qu’une seule fois.", "Il peut être utilisé {n} fois.",
			"Vous avez besoin d’un mot de passe, qui vous sera communiqué séparément.",
		},
		"es": {
			"Un archivo para usted", "El enlace es válido hasta el {end}.",
			"El enlace es válido desde el {start} hasta el {end}.", "Solo se puede usar una vez.",
			"Se puede usar {n} veces.", "Necesita una contraseña, que recibirá por separado.",
		},
		"pt": {
			"Um arquivo à sua disposição", "O link é válido até {end}.", "O link é válido de {start} até {end}.",
			"Ele só pode ser usado uma vez.", "Ele pode ser usado {n} vezes.",
			"É necessária uma senha, que será enviada separadamente.",
		},
		"it": {
			"Un file per Lei", "Il link è valido fino al {end}.", "Il link è valido dal {start} al {end}.",
			"Può essere usato una sola volta.", "Può essere usato {n} volte.",
			"È necessaria una password, che riceverà separatamente.",
		},
		"nl": {
			"Een bestand voor u", "De link werkt tot {end}.", "De link werkt van {start} tot {end}.",
			"U kunt de link één keer gebruiken.", "U kunt de link {n} keer gebruiken.",
			"U hebt een wachtwoord nodig, dat u apart ontvangt.",
		},
		"pl": {
			"Plik dla Państwa", "Link działa do {end}.", "Link działa od {start} do {end}.",
			"Linku można użyć tylko raz.", "Linku można użyć {n} razy.",
			"Potrzebne jest hasło, które otrzymają Państwo osobno.",
		},
	}
}

// otherMessages returns the texts in the languages with other letters. In Arabic, isolates
// (U+2066, U+2069; Unicode UAX #9) keep a time and its offset in their order.
func otherMessages() map[string]Message {
	return map[string]Message{
		"ja": {
			"ファイルが共有されました", "このリンクの有効期限は {end} です。", "このリンクは {start} から {end} まで有効です。",
			"使用できるのは1回のみです。", "{n}回まで使用できます。", "パスワードが必要です。パスワードは別途お知らせします。",
		},
		"zh": {
			"您收到了一个共享文件", "此链接的有效期至 {end}。", "此链接的有效期为 {start} 至 {end}。", "此链接只能使用一次。",
			"此链接最多可使用 {n} 次。", "打开文件需要密码，密码将另行告知。",
		},
		"ar": {
			"ملف لكم", "الرابط صالح حتى \u2066{end}\u2069.", "الرابط صالح من \u2066{start}\u2069 حتى \u2066{end}\u2069.",
			"يمكن استخدامه مرة واحدة فقط.", "عدد مرات الاستخدام المسموح بها: {n}.",
			"تحتاجون إلى كلمة مرور، وستصلكم بشكل منفصل.",
		},
	}
}
