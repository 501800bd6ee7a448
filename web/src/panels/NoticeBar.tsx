/** One notice at a time: what happened or failed, and the actions for it. */
import { X } from "lucide-react";
import { useEffect } from "react";
import { type Notice, useView } from "../state/session/view";
import { t } from "../words/words";

const STAYS = 7_000;

export function NoticeBar() {
  const notice = useView((state) => state.notice);
  useEffect(() => {
    if (notice === null || notice.onDismiss !== undefined) return;
    const timer = setTimeout(() => useView.setState({ notice: null }), STAYS);
    return () => clearTimeout(timer);
  }, [notice]);
  // Both live regions exist from the start: screen readers may miss text in a region that appears
  // with it.
  return (
    <>
      <div role="status">{notice?.tone === "plain" && <Bar notice={notice} />}</div>
      <div role="alert">{notice?.tone === "error" && <Bar notice={notice} />}</div>
    </>
  );
}

function Bar({ notice }: { notice: Notice }) {
  const { text, tone, action, others = [] } = notice;
  const actions = action === undefined ? [] : [action, ...others];
  return (
    <div className={`notice ${tone}`}>
      <span>{text}</span>
      {actions.map((each) => (
        <button
          key={each.label}
          type="button"
          onClick={() => {
            useView.setState({ notice: null });
            each.run();
          }}
        >
          {each.label}
        </button>
      ))}
      <button
        type="button"
        className="ghost"
        aria-label={t("Dismiss")}
        onClick={() => {
          useView.setState({ notice: null });
          notice.onDismiss?.();
        }}
      >
        <X size={13} aria-hidden />
      </button>
    </div>
  );
}
