"""What people are told, in German; in the law's words where it has some: Widerruf, Eingangsbestätigung, Erstattung.

What silence does stands after its condition or after "danach", so that its verb comes first.
"""

from typing import Final

from activities.notices.languages.texts import Texts
from workflows.messages.actors import Role
from workflows.messages.addresses import ReturnClause
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import RejectReason
from workflows.messages.proposals import ProposalEnd, ProposalKind
from workflows.messages.rulings import Fault, Verdict
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName

GERMAN: Final = Texts(
    e_mail_subject="Kundenservice: ${subject}",
    moment="%d.%m.%Y, %H:%M Uhr",
    decimal_mark=",",
    beijing_time="(Pekinger Zeit)",
    other_time="({zone})",
    notices={
        NoticeTemplate.REQUEST_OPENED: (
            "[Kundenservice] {subject}: Es liegt ein neuer Antrag über {amount} vor. Bitte entscheiden Sie bis {due} "
            "{time_zone}."
        ),
        NoticeTemplate.REQUEST_CONFIRMED: (
            "[Kundenservice] {subject}: Eingangsbestätigung: Ihr Antrag ({reason}) über {amount} ist am {due} "
            "{time_zone} eingegangen. Bitte bewahren Sie diese Nachricht auf."
        ),
        NoticeTemplate.REQUEST_AMENDED: (
            "[Kundenservice] {subject}: Der Käufer hat den Antrag geändert (Fassung {version}) und beantragt nun "
            "{amount}. Geschieht bis {due} {time_zone} nichts, {on_silence}."
        ),
        NoticeTemplate.SETTLEMENT_OFFERED: (
            "[Kundenservice] {subject}: Der Händler bietet {amount} an, um den Streitfall beizulegen. Sie können das "
            "Angebot dort annehmen; andernfalls geht der Streitfall weiter."
        ),
        NoticeTemplate.PROPOSAL_MADE: (
            "[Kundenservice] {subject}: {by} schlägt vor: {terms} (Vorschlag Nr. {number}, {amount}). Bitte antworten "
            "Sie bis {until} {time_zone}; danach verfällt der Vorschlag, und der Vorgang läuft unverändert weiter: "
            "Geschieht bis zum Ende seiner Frist nichts, {on_silence}."
        ),
        NoticeTemplate.PROPOSAL_ENDED: (
            "[Kundenservice] {subject}: Der Vorschlag Nr. {number} ({terms}) {how}. Geschieht nun bis zum Ende der "
            "Frist nichts, {on_silence}."
        ),
        NoticeTemplate.PROPOSAL_OVER: "[Kundenservice] {subject}: Der Vorschlag Nr. {number} ({terms}) {how}.",
        NoticeTemplate.MESSAGE_LEFT: (
            "[Kundenservice] {subject}: {by} hat Ihnen eine Nachricht hinterlassen; bitte lesen Sie sie im Vorgang."
        ),
        NoticeTemplate.DEADLINE_NEAR: (
            "[Kundenservice] {subject}: Die Frist läuft bald ab. Geschieht bis {due} {time_zone} nichts, {on_silence}."
        ),
        NoticeTemplate.REQUEST_REJECTED: (
            "[Kundenservice] {subject}: Der Händler hat Ihren Antrag abgelehnt: {reason}. Innerhalb von {window_days} "
            "Tagen können Sie ihn ändern und erneut stellen oder die Plattform um eine Entscheidung bitten; danach "
            "wird der Vorgang geschlossen."
        ),
        NoticeTemplate.REQUEST_REJECTED_FINALLY: (
            "[Kundenservice] {subject}: Der Händler hat Ihren Antrag abgelehnt: {reason}. Innerhalb von {window_days} "
            "Tagen können Sie die Plattform um eine Entscheidung bitten; danach wird der Vorgang geschlossen."
        ),
        NoticeTemplate.RECEIPT_REJECTED: (
            "[Kundenservice] {subject}: Der Händler nimmt Ihre Rücksendung nicht an: {reason}. Innerhalb von "
            "{window_days} Tagen muss er Ihnen die Ware wieder zusenden, und Sie können die Plattform um eine "
            "Entscheidung bitten; danach kümmert sich jemand darum."
        ),
        NoticeTemplate.GOODS_UNDERWAY: (
            "[Kundenservice] {subject}: Die Ware ist bereits versandt; erstattet wird erst, wenn sie zurückgekommen "
            "ist."
        ),
        NoticeTemplate.RETURN_AGREED: (
            "[Kundenservice] {subject}: Ihrer Rücksendung wurde zugestimmt. Bitte senden Sie die Ware innerhalb von "
            "{days} Tagen an {address} zurück, und geben Sie die Sendungsnummer an. {clauses}"
        ),
        NoticeTemplate.ADDRESS_WANTED: (
            "[Kundenservice] {subject}: Es fehlt eine Adresse für die Rücksendung; bitte legen Sie eine an und wählen "
            "Sie sie aus."
        ),
        NoticeTemplate.ACCOUNT_WANTED: (
            "[Kundenservice] {subject}: Für die Erstattung wird Ihr eigenes Konto benötigt; bitte geben Sie eines an."
        ),
        NoticeTemplate.EXTENSION_OFFERED: (
            "[Kundenservice] {subject}: Die Rücksendung wurde noch nicht zugestellt; Sie können die Frist für ihren "
            "Empfang einmal verlängern."
        ),
        NoticeTemplate.RETURN_SIGNED: (
            "[Kundenservice] {subject}: Die Rücksendung wurde zugestellt; bitte prüfen Sie die Ware, und entscheiden "
            "Sie."
        ),
        NoticeTemplate.EXCHANGE_SHIPPED: (
            "[Kundenservice] {subject}: Die Ware aus Ihrem Umtausch ist unterwegs; bitte bestätigen Sie ihren Empfang."
        ),
        NoticeTemplate.GOODS_SENT_BACK: (
            "[Kundenservice] {subject}: Der Händler hat Ihre Rücksendung nicht angenommen und schickt Ihnen die Ware "
            "zurück."
        ),
        NoticeTemplate.REPAIR_SHIPPED: (
            "[Kundenservice] {subject}: Die reparierte Ware ist unterwegs zu Ihnen; bitte bestätigen Sie ihren Empfang."
        ),
        NoticeTemplate.REPAIR_LATE: (
            "[Kundenservice] {subject}: Die Ware wurde nicht rechtzeitig aus der Reparatur zurückgesandt; Sie können "
            "die Plattform um eine Entscheidung bitten."
        ),
        NoticeTemplate.RESEND_AGREED: (
            "[Kundenservice] {subject}: Der Händler liefert innerhalb von {hours} Stunden nach, was fehlt."
        ),
        NoticeTemplate.GOODS_SENT_AGAIN: (
            "[Kundenservice] {subject}: Die Nachlieferung ist unterwegs; bitte bestätigen Sie ihren Empfang."
        ),
        NoticeTemplate.RESEND_LATE: (
            "[Kundenservice] {subject}: Die Nachlieferung wurde nicht rechtzeitig versandt; Sie können die Plattform "
            "um eine Entscheidung bitten."
        ),
        NoticeTemplate.INTERVENTION_OPEN: (
            "[Kundenservice] {subject}: Die Ware aus Ihrem Umtausch wurde nicht rechtzeitig versandt; Sie können die "
            "Plattform um eine Entscheidung bitten."
        ),
        NoticeTemplate.MERCHANT_OVERDUE: (
            "[Kundenservice] {subject}: Der Händler hat nicht rechtzeitig entschieden. In den nächsten {days} Tagen "
            "kann der Käufer die Plattform um eine Entscheidung bitten, und auch der Händler kann noch entscheiden; "
            "danach wird der Vorgang geschlossen."
        ),
        NoticeTemplate.DISPUTE_OPENED: (
            "[Kundenservice] {subject}: Der Käufer hat einen Streitfall über {amount} eröffnet. Bis {due} {time_zone} "
            "können Sie sich mit ihm einigen; danach greift die Plattform ein."
        ),
        NoticeTemplate.INTERVENED: (
            "[Kundenservice] {subject}: Die Plattform greift ein und wird den Streitfall über {amount} entscheiden."
        ),
        NoticeTemplate.EVIDENCE_DEMANDED: (
            "[Kundenservice] {subject}: Bitte reichen Sie Ihre Nachweise bis {due} {time_zone} ein. Verlangt wird: "
            "{wanted}."
        ),
        NoticeTemplate.DISPUTE_RULED: (
            "[Kundenservice] {subject}: Der Streitfall ist beendet: {verdict}, {fault}; der Käufer erhält insgesamt "
            "{amount}."
        ),
        NoticeTemplate.COMPENSATION_CLAIMABLE: (
            "[Kundenservice] {subject}: Die Ware wurde nicht rechtzeitig versandt; bis {due} {time_zone} können Sie "
            "eine Entschädigung von {amount} verlangen."
        ),
        NoticeTemplate.COMPENSATION_CLAIMED: (
            "[Kundenservice] {subject}: Der Käufer verlangt {amount} wegen verspäteten Versands; bitte weisen Sie "
            "rechtzeitig den Versand oder einen Grund nach, der Sie befreit, sonst wird gezahlt."
        ),
        NoticeTemplate.COMPENSATION_PAID: ("[Kundenservice] {subject}: Die Entschädigung von {amount} wurde gezahlt."),
        NoticeTemplate.REFUND_SUBMITTED: (
            "[Kundenservice] {subject}: Die Erstattung von {amount} ist unterwegs. Sie sollte zwischen {arrives_from} "
            "und {arrives_until} {time_zone} eintreffen."
        ),
        NoticeTemplate.REFUND_SUCCEEDED: "[Kundenservice] {subject}: Die Erstattung von {amount} wurde gezahlt.",
        NoticeTemplate.ALLOWANCE_REFUNDED: (
            "[Kundenservice] {subject}: {amount} der Erstattung sind wieder in Ihrem Shop-Guthaben: "
            "{principal} Einzahlung, {bonus} Bonus."
        ),
        NoticeTemplate.ALLOWANCE_PAID_OUT: (
            "[Kundenservice] {subject}: {amount} wurden mit einem Shop-Guthaben bezahlt, das ausgezahlt oder "
            "abgelaufen ist. Die Einzahlung ({principal}) geht dorthin zurück, woher sie kam; der Bonus "
            "({bonus}) ist verfallen."
        ),
        NoticeTemplate.PAYMENT_REDUCED: (
            "[Kundenservice] {subject}: Von {asked} zahlt dieser Vorgang {amount}; das Übrige haben andere Vorgänge "
            "gezahlt, oder sie zahlen es gerade."
        ),
        NoticeTemplate.CASE_CLOSED: "[Kundenservice] {subject}: Der Vorgang ist abgeschlossen: {outcome}.",
        NoticeTemplate.STAGE_CHANGED: (
            "[Kundenservice] {subject}: Neuer Stand: {stage}. Frist: {due} {time_zone}; danach {on_silence}."
        ),
        NoticeTemplate.RETURN_SENT: (
            "[Kundenservice] {subject}: Die Ware ist auf dem Rückweg: {carrier}, Sendungsnummer {tracking_no}."
        ),
        NoticeTemplate.EVIDENCE_GIVEN: (
            "[Kundenservice] {subject}: Die andere Seite hat Nachweise eingereicht; bitte sehen Sie sie sich an."
        ),
        NoticeTemplate.RETENTION_ASKED: (
            "[Kundenservice] {subject}: Der Händler bittet Sie, das Guthaben zu behalten. Wenn Sie einverstanden sind, "
            "ziehen Sie bitte den Antrag zurück; andernfalls läuft er weiter."
        ),
        NoticeTemplate.CONVERSION_WANTED: (
            "[Kundenservice] {subject}: Die andere Seite wünscht statt der Ware eine Erstattung. Wenn Sie "
            "einverstanden sind, stimmen Sie bitte zu; andernfalls läuft der Vorgang weiter."
        ),
        NoticeTemplate.ATTENTION_RAISED: (
            "[Kundenservice] {subject}: Der Vorgang muss von Hand bearbeitet werden: {attention}."
        ),
    },
    silences={
        Silence.REFUND: "wird die Erstattung automatisch genehmigt",
        Silence.PAY_PRINCIPAL: "wird der eingezahlte Betrag automatisch zurückgezahlt",
        Silence.APPROVE: "wird der Antrag automatisch genehmigt",
        Silence.CLOSE_AS_REJECTED: "wird der Vorgang als abgelehnt geschlossen",
        Silence.CLOSE_UNDECIDED: "wird der Vorgang ohne Entscheidung geschlossen",
        Silence.ESCALATE: "übernimmt ein Mitarbeiter der Plattform",
        Silence.ASK_GATEWAY: "wird beim Zahlungsdienstleister nachgefragt",
        Silence.RAISE_ATTENTION: "kümmert sich ein Mitarbeiter darum",
        Silence.AGREE_TO_RETURN: "gilt die Rücksendung als angenommen",
        Silence.CLOSE_NOT_RETURNED: "wird der Vorgang geschlossen, weil die Ware nicht zurückgesandt wurde",
        Silence.OFFER_EXTENSION: "kann die Frist für den Empfang verlängert werden",
        Silence.ASK_CARRIER: "wird beim Zusteller nachgefragt",
        Silence.ASK_AGAIN: "werden Sie erneut gefragt",
        Silence.RIGHT_TO_INTERVENTION: "kann der Käufer die Plattform um eine Entscheidung bitten",
        Silence.CLOSE_AS_EXCHANGED: "gilt der Umtausch als abgeschlossen",
        Silence.AGREE_TO_REPAIR: "gilt die Reparatur als zugesagt",
        Silence.CLOSE_AS_REPAIRED: "gilt die Reparatur als abgeschlossen",
        Silence.AGREE_TO_RESEND: "gilt die Nachlieferung als zugesagt",
        Silence.CLOSE_AS_RESENT: "gilt die Nachlieferung als empfangen",
        Silence.GO_TO_PLATFORM: "greift die Plattform ein",
        Silence.UPHOLD: "wird dem Käufer recht gegeben",
        Silence.RULE_AS_IT_STANDS: "entscheidet die Plattform nach dem, was vorliegt",
        Silence.PROPOSE_FAULT: "wird vorgeschlagen, dass der Händler verantwortlich ist",
        Silence.CLOSE_UNCLAIMED: "verfällt der Anspruch",
        Silence.PAY_COMPENSATION: "wird die Entschädigung automatisch gezahlt",
        Silence.NOTHING: "wartet der Vorgang weiter",
    },
    outcomes={
        OutcomeKind.REFUNDED: "erstattet",
        OutcomeKind.PAID_BY_PLATFORM: "von der Plattform vorab gezahlt",
        OutcomeKind.PAID_MANUALLY: "von Hand überwiesen",
        OutcomeKind.WITHDRAWN: "vom Käufer zurückgezogen",
        OutcomeKind.RETAINED: "der Käufer behält das Guthaben",
        OutcomeKind.REJECTED: "abgelehnt",
        OutcomeKind.UNDECIDED: "geschlossen, ohne dass jemand entschieden hat",
        OutcomeKind.NOTHING_LEFT: (
            "alles, was beantragt war, haben andere Vorgänge schon erstattet; dieser hat nichts gezahlt"
        ),
        OutcomeKind.NOTHING_TO_PAY: "erledigt; es war nichts zu zahlen",
        OutcomeKind.HANDED_OVER: "wird in einem anderen Vorgang bearbeitet",
        OutcomeKind.CLOSED_BY_OFFICER: "von der Plattform geschlossen",
        OutcomeKind.NOT_RETURNED: "geschlossen: Die Ware wurde nicht zurückgesandt",
        OutcomeKind.EXCHANGED: "umgetauscht",
        OutcomeKind.REPAIRED: "repariert",
        OutcomeKind.RESENT: "nachgeliefert",
        OutcomeKind.RESOLVED: "beide Seiten haben sich geeinigt, niemand ist verantwortlich",
        OutcomeKind.SETTLED: "beide Seiten haben sich verglichen",
        OutcomeKind.RULED: "von der Plattform entschieden",
        OutcomeKind.DISMISSED: "zurückgewiesen: Es ist nichts zu zahlen",
        OutcomeKind.COVERED: "was zu zahlen ist, war schon gezahlt",
        OutcomeKind.COMPENSATED: "entschädigt",
        OutcomeKind.SHIPPED_IN_TIME: "rechtzeitig versandt",
        OutcomeKind.EXEMPT: "der Händler ist befreit",
        OutcomeKind.UNCLAIMED: "nicht in Anspruch genommen",
        OutcomeKind.REFUSED: "der Antrag konnte nicht angenommen werden",
    },
    attentions={
        Attention.ADDRESS_MISSING: "Es fehlt eine Adresse für die Rücksendung",
        Attention.ACCOUNT_MISSING: "Der Käufer hat kein Konto für die Erstattung angegeben",
        Attention.RETURN_OVERDUE: "Die Rücksendung wurde nicht rechtzeitig zugestellt",
        Attention.RETURN_REFUSED: "Die Annahme wurde verweigert, oder die Ware ging an den Absender zurück",
        Attention.GOODS_HELD: "Ware, die nicht angenommen wurde, ist nicht an den Käufer zurückgegangen",
        Attention.RESHIP_FAILED: "Die Ware aus dem Umtausch hat den Käufer nicht erreicht",
        Attention.RESHIP_OVERDUE: "Die Ware aus dem Umtausch wurde nicht rechtzeitig versandt",
        Attention.REPAIR_OVERDUE: "Die Ware wurde nicht rechtzeitig aus der Reparatur zurückgesandt",
        Attention.REPAIR_FAILED: "Die reparierte Ware hat den Käufer nicht erreicht",
        Attention.RESEND_OVERDUE: "Die Nachlieferung wurde nicht rechtzeitig versandt",
        Attention.RESEND_FAILED: "Die Nachlieferung hat den Käufer nicht erreicht",
        Attention.RULING_OVERDUE: "Die Entscheidung der Plattform ist überfällig",
        Attention.DISPUTE_BROKEN_OFF: "Der Streitfall wurde von außen abgebrochen",
        Attention.REVIEW_OVERDUE: "Die Prüfung ist überfällig",
        Attention.INTERCEPT_OVERDUE: "Die angehaltene Sendung ist nicht rechtzeitig zurück",
        Attention.GOODS_CONTRADICTED: "Der Zusteller meldet die Annahme sowohl als verweigert wie als erfolgt",
        Attention.REFUND_DECLINED: "Der Zahlungsdienstleister hat die Erstattung abgelehnt",
        Attention.REFUND_RETURNED: "Die Erstattung war angekommen und kam zurück",
        Attention.MONEY_STRANDED: (
            "Die Karte oder das Konto des Käufers nimmt kein Geld an; es liegt beim Zahlungsdienstleister"
        ),
        Attention.NUMBER_CONFLICT: "Beim Zahlungsdienstleister steht unter dieser Nummer eine andere Erstattung",
        Attention.REFUND_LOST: "Der Zahlungsdienstleister hatte die Erstattung angenommen und kennt sie nicht mehr",
        Attention.MERCHANT_ACCOUNT_SHORT: "Das Konto des Händlers ist nicht gedeckt",
        Attention.ARRIVAL_OVERDUE: "Die Erstattung ist nicht rechtzeitig angekommen",
        Attention.OUTCOME_UNKNOWN: "Es ist nicht bekannt, ob die Erstattung gelungen ist",
        Attention.BOOK_BEHIND: "Im Fallbuch fehlen Schritte, die unternommen wurden",
        Attention.ROOM_OVERDUE: "Laufende Zahlungen halten den Rest zu lange fest",
    },
    reject_reasons={
        RejectReason.GOODS_SHIPPED: "Die Ware ist versandt",
        RejectReason.GOODS_RECEIVED_AS_DESCRIBED: "Die Ware ist wie beschrieben angekommen",
        RejectReason.NO_FAULT_SHOWN: "Ein Mangel ist nicht nachgewiesen",
        RejectReason.AMOUNT_TOO_HIGH: "Der Betrag ist zu hoch",
        RejectReason.OUT_OF_TERMS: "Die Bedingungen des Verkaufs sehen es nicht vor",
        RejectReason.OTHER: "Ein anderer Grund; er steht im Vorgang",
    },
    sides={
        Role.BUYER: "Der Käufer",
        Role.MERCHANT: "Der Händler",
        Role.PLATFORM: "Die Plattform",
        Role.CARRIER: "Der Zusteller",
        Role.GATEWAY: "Der Zahlungsdienstleister",
        Role.CLOCK: "Das System",
    },
    proposals={
        ProposalKind.AMOUNT: "ein anderer Betrag",
        ProposalKind.COMPENSATION: "eine andere Entschädigung",
        ProposalKind.RETURN: "Erstattung nach Rücksendung der Ware",
        ProposalKind.REFUND: "Erstattung ohne Rücksendung der Ware",
        ProposalKind.KEEP_GOODS: "die Ware behalten und einen Teil des Geldes bekommen",
        ProposalKind.SEND_AGAIN: "Nachlieferung der Ware oder eines fehlenden Teils",
        ProposalKind.MORE_PROOF: "weitere Nachweise",
    },
    proposal_ends={
        ProposalEnd.ACCEPTED: "wurde angenommen",
        ProposalEnd.DECLINED: "wurde abgelehnt",
        ProposalEnd.WITHDRAWN: "wurde zurückgezogen",
        ProposalEnd.LAPSED: "ist verfallen",
        ProposalEnd.CLOSED: "hat sich erledigt, weil der Vorgang entschieden oder geändert wurde",
    },
    verdicts={
        Verdict.RESOLVED: "beide Seiten haben sich geeinigt",
        Verdict.SETTLED: "beide Seiten haben sich verglichen",
        Verdict.UPHELD: "dem Käufer wurde recht gegeben, weil der Händler keine Nachweise eingereicht hat",
        Verdict.RULED: "die Plattform hat entschieden",
    },
    faults={
        Fault.BUYER: "der Käufer ist verantwortlich",
        Fault.MERCHANT: "der Händler ist verantwortlich",
        Fault.BOTH: "beide sind verantwortlich",
        Fault.NOBODY: "niemand ist verantwortlich",
    },
    clauses={
        ReturnClause.NO_FREIGHT_COLLECT: "Unfreie Sendungen werden nicht angenommen.",
        ReturnClause.NO_EMS: "Sendungen mit EMS werden nicht angenommen.",
        ReturnClause.NO_SF_EXPRESS: "Sendungen mit SF Express werden nicht angenommen.",
        ReturnClause.NO_POSTAL_PARCEL: "Postpakete werden nicht angenommen.",
    },
    stages={
        StageName.OPENING: "Der Vorgang wird angelegt",
        StageName.CLOSED: "Abgeschlossen",
        StageName.NEGOTIATION: "Käufer und Händler verhandeln",
        StageName.EVIDENCE: "Die Plattform verlangt Nachweise des Händlers",
        StageName.EVIDENCE_WORKING_HOURS: "Die Plattform verlangt Nachweise des Händlers während der Geschäftszeiten",
        StageName.EVIDENCE_OF_BUYER: "Die Plattform verlangt Nachweise des Käufers",
        StageName.RULING: "Die Plattform entscheidet nach dem, was vorliegt",
        StageName.RULING_PROPOSED: "Der Händler schwieg und gilt als verantwortlich, wenn die Plattform es bestätigt",
        StageName.RULING_OVERDUE: "Die Entscheidung der Plattform ist überfällig",
        StageName.PAYING: "Entschieden; die Zahlung wird ausgelöst",
        StageName.AWAITING_ROOM: "Andere laufende Zahlungen halten den Rest fest",
        StageName.ROOM_OVERDUE: "Andere Zahlungen halten den Rest zu lange fest",
        StageName.SETTLING: "Die Zahlung ist beim Zahlungsdienstleister",
        StageName.PAYMENT_ATTENTION: "Ein Mitarbeiter muss sich um die Zahlung kümmern",
        StageName.AWAITING_ACCOUNT: "Nachnahme: Der Käufer wird um ein Konto gebeten",
        StageName.DISPUTED: "Streitfall: Beide Seiten verhandeln, bevor die Plattform eingreift",
        StageName.LOCKED: "Die Plattform entscheidet; der Vorgang ruht so lange",
        StageName.RETURN_REVIEW: "Rücksendung oder Umtausch: Der Händler entscheidet",
        StageName.ADDRESS_MISSING: "Der Rücksendung ist zugestimmt, aber der Händler hat keine Adresse dafür",
        StageName.AWAITING_RETURN: "Der Käufer sendet die Ware zurück und gibt die Sendungsnummer an",
        StageName.RETURN_IN_TRANSIT: "Die Ware ist auf dem Rückweg",
        StageName.RETURN_DELAYED: "Noch nicht zugestellt: Der Händler kann die Frist verlängern",
        StageName.RETURN_EXTENDED: "Die Frist für den Empfang wurde verlängert",
        StageName.RETURN_OVERDUE: "Die Rücksendung wurde nicht rechtzeitig zugestellt",
        StageName.RETURN_REFUSED: "Die Annahme wurde verweigert, oder die Ware ging an den Absender zurück",
        StageName.RETURN_RECEIVED: "Zugestellt; der Händler prüft, erstattet oder lehnt ab",
        StageName.RECEIPT_REJECTED: "Nach der Prüfung abgelehnt: Die Ware ist nicht wie vereinbart",
        StageName.SENT_BACK: "Nach der Prüfung abgelehnt und auf dem Weg zurück zum Käufer",
        StageName.GOODS_HELD: "Der Händler hat die Ware weder bezahlt noch zurückgesandt",
        StageName.RESHIPMENT: "Der Händler hat die Ware und versendet andere",
        StageName.RESHIP_OVERDUE: (
            "Nicht rechtzeitig versandt: Der Käufer kann die Plattform um eine Entscheidung bitten"
        ),
        StageName.EXCHANGE_UNDERWAY: "Die andere Ware ist versandt; der Käufer bestätigt den Empfang",
        StageName.RESHIP_FAILED: "Die Ware aus dem Umtausch hat den Käufer nicht erreicht",
        StageName.REJECTED: "Abgelehnt; der Käufer kann den Antrag ändern und erneut stellen",
        StageName.MERCHANT_OVERDUE: (
            "Der Händler hat nicht rechtzeitig entschieden: Der Käufer kann die Plattform um eine Entscheidung bitten"
        ),
        StageName.REPAIR_REVIEW: "Reparatur erbeten: Der Händler entscheidet",
        StageName.REPAIRING: "Der Händler hat die Ware, repariert sie und sendet sie zurück",
        StageName.REPAIR_OVERDUE: (
            "Nicht rechtzeitig zurückgesandt: Der Käufer kann die Plattform um eine Entscheidung bitten"
        ),
        StageName.REPAIR_UNDERWAY: "Die reparierte Ware ist versandt; der Käufer bestätigt den Empfang",
        StageName.REPAIR_FAILED: "Die reparierte Ware hat den Käufer nicht erreicht",
        StageName.RESEND_REVIEW: "Nachlieferung erbeten: Der Händler entscheidet",
        StageName.RESEND: "Vereinbart: Der Händler liefert die Ware oder ein fehlendes Teil nach",
        StageName.RESEND_OVERDUE: (
            "Nicht rechtzeitig nachgeliefert: Der Käufer kann die Plattform um eine Entscheidung bitten"
        ),
        StageName.RESEND_UNDERWAY: "Nachgeliefert; der Käufer bestätigt den Empfang",
        StageName.RESEND_FAILED: "Die Nachlieferung hat den Käufer nicht erreicht",
        StageName.ESCALATED: "Ein Mitarbeiter der Plattform entscheidet",
        StageName.WAREHOUSE_REVIEW: "Stornierung vor dem Versand: Die Plattform prüft",
        StageName.OUTBOUND_REVIEW: "Stornierung nach dem Ausgang aus dem Lager: Die Plattform prüft",
        StageName.INTERCEPTING: "Die Sendung wird angehalten; erstattet wird, wenn sie zurück im Lager ist",
        StageName.CLAIMABLE: "Nicht rechtzeitig versandt: Der Käufer kann eine Entschädigung verlangen",
        StageName.CLAIM_REVIEW: "Der Händler kann den Versand oder einen Grund nachweisen, der ihn befreit",
        StageName.OFFICER_REVIEW: "Erstattung durch den Händler: Die Plattform prüft",
        StageName.PRICE_REVIEW: "Preisschutz: Der Händler entscheidet",
        StageName.MERCHANT_REVIEW: "Erstattung vor dem Versand: Der Händler entscheidet",
        StageName.SHIPPED_REVIEW: "Erstattung ohne Rücksendung: Der Händler entscheidet",
        StageName.PARCEL_INTERCEPT: (
            "Die Ware ist versandt: Der Händler lässt sie anhalten; erstattet wird, wenn sie zurück ist"
        ),
        StageName.RETENTION: "Der Händler kann um den Verbleib des Guthabens bitten oder auszahlen",
    },
)
