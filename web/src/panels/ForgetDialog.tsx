/** Asks before results go: only the entries, or the files as well. Both can be taken back a while. */
import { forget, useHistory } from "../state/history";
import { t } from "../words/words";
import { Dialog } from "./Dialog";

export function ForgetDialog() {
  const asking = useHistory((state) => state.asking);
  if (asking === null || asking.length === 0) return null;
  const close = () => useHistory.setState({ asking: null });
  const go = (files: boolean) => {
    close();
    forget(asking, files);
  };
  return (
    <Dialog
      title={t("Forget {{count}} results?", { count: asking.length })}
      width="narrow"
      onClose={close}
      actions={
        <>
          <button type="button" className="plain-button" onClick={close}>
            {t("Keep all")}
          </button>
          <button type="button" className="plain-button danger" onClick={() => go(true)}>
            {t("Delete the files, too")}
          </button>
          <button type="button" className="primary" onClick={() => go(false)}>
            {t("Forget the entries")}
          </button>
        </>
      }
    >
      <p>
        {t(
          "Forgetting takes them out of the history; the pictures stay in the output folder. Deleting removes the pictures from the disk as well. Either can be undone for some seconds.",
        )}
      </p>
    </Dialog>
  );
}
